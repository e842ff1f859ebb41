"""The command `aligngemini rehearse`: its words and its output. Heavy libraries are loaded when it acts."""

import argparse
import re
from typing import Any

from aligngemini.core import paths
from aligngemini.core.params import Refused

from .gpus import GPUS

HELP = "run every stage with true architectures and sizes and random weights: speed, memory, time, what does not fit"


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    rehearse = commands.add_parser("rehearse", help=HELP, description=HELP)
    rehearse.add_argument("--scale", default="paper", help="paper (default), colab, laptop, or mini")
    rehearse.add_argument("--gpu", default="a100-80", choices=GPUS, help="GPU to compute for (default: a100-80)")
    rehearse.add_argument(
        "--steps", "--laps", type=int, default=3, metavar="N", help="measured steps of each stage (default: 3)"
    )
    rehearse.add_argument("--device", choices=["cuda", "cpu"], default="", help="device to measure on (default: a GPU)")
    rehearse.add_argument("--computed", action="store_true", help="only compute, without measuring")
    rehearse.add_argument(
        "--mixed", action="store_true", help="photographs of four shapes in turn: landscape, portrait, tiny and huge"
    )
    rehearse.add_argument("--only", default="", metavar="STAGE", help='one stage alone, such as "verdict scoring"')
    rehearse.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    rehearse.set_defaults(act=act)


def act(args: argparse.Namespace) -> None:
    """Rehearse, print the table and write it into rehearsal/ in the outputs. Raises Refused, DiskFull."""
    paths.set_outputs(args.outputs)
    home = paths.writable(paths.outputs() / "rehearsal")
    if args.steps < 1:
        raise Refused(f"--steps takes a number of 1 or more, not {args.steps}")
    from . import report, run, setting, stages

    tried = setting.make(args.scale, args.mixed)
    stages.of(tried, args.only)  # is checked before work begins
    device = "" if args.computed else run.place(tried, args.device, args.only)
    rows = list(run.computed(tried, GPUS[args.gpu], args.only))
    rows += run.measured(tried, device, args.steps, args.only) if device else []
    words = f"aligngemini rehearse --scale {args.scale} --gpu {args.gpu} --steps {args.steps}"
    words += " --computed" * args.computed + " --mixed" * args.mixed
    print(f"{report.table(rows).to_string(index=False)}\n\n{report.NOTE}")
    print(f"minutes by notebook, computed: {report.minutes(rows)}")
    name = re.sub(r"\W", "-", rows[-1]["on"].split(",")[0].lower())
    part = f"-{args.only.replace(' ', '-')}" if args.only else ""
    written = report.write(rows, home, f"{args.scale}-{name}{part}", words)
    print(f"written to {paths.short(written)}")
