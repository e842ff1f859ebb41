"""The command `aligngemini rehearse`: its words and its output. Heavy libraries are loaded when it acts."""

import argparse
from typing import Any

from ..workbook import paths

HELP = "every stage with true architectures and sizes but random weights: speed, memory, time, and what does not fit"


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    rehearse = commands.add_parser("rehearse", help=HELP, description=HELP)
    rehearse.add_argument("--scale", default="paper", help="paper (default) or mini, whose stages take seconds")
    rehearse.add_argument("--gpu", default="a100-80", help="card to compute for (default: a100-80; others are named)")
    rehearse.add_argument("--laps", type=int, default=3, metavar="N", help="steps timed of each stage (default: 3)")
    rehearse.add_argument("--computed", action="store_true", help="compute only, run nothing")
    rehearse.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    rehearse.set_defaults(act=act)


def act(args: argparse.Namespace) -> None:
    """Rehearse, print the table and write it into rehearsal/ in the outputs. Raises Refused, DiskFull."""
    from . import setting

    paths.set_outputs(args.outputs)
    home = paths.writable(paths.outputs() / "rehearsal")
    asked = setting.of(args.scale, args.laps)
    from . import cards, page, run

    card = cards.named(args.gpu)
    rows = run.computed(asked, card) + ([] if args.computed else run.measured(asked))
    name = f"{args.scale}-{args.gpu}" if args.computed else f"{args.scale}-{_slug(rows[-1].device)}"
    print(page.table(rows).to_string(index=False))
    print(f"\n{page.NOTE}\nminutes by notebook, computed: {run.minutes(rows)}")
    written = page.write(rows, home, name, _command(args))
    print(f"written to {paths.short(written)}")


def _slug(device: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in device.split(",")[0].lower())


def _command(args: argparse.Namespace) -> str:
    """What was asked, without what is as usual and without folders."""
    words = f"aligngemini rehearse --scale {args.scale} --gpu {args.gpu} --laps {args.laps}"
    return f"{words} --computed" if args.computed else words
