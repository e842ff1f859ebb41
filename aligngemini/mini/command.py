"""The command `aligngemini mini`: make the models and the detector that data/mini ships."""

import argparse
from typing import Any

from aligngemini.core import paths
from aligngemini.core.codes import CONTINUES

from . import bases


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    mini = commands.add_parser("mini", help="make the models of the small world").add_subparsers(required=True)
    pretrain = mini.add_parser("pretrain", help="train the models of data/mini from scratch")
    pretrain.add_argument("--only", default="", choices=list(bases.FOLDERS), help="make only this one")
    pretrain.add_argument("--out", default="data/mini", metavar="DIR", help="folder of the models (default: data/mini)")
    pretrain.add_argument("--steps", type=int, default=0, help="number of training steps, for a trial")
    pretrain.add_argument("--seed", type=int, default=0, help="seed of all random numbers")
    pretrain.set_defaults(act=_pretrain, stopped=CONTINUES)
    pack = mini.add_parser("pack", help="make the shipped detector and its known answers from a run of notebook 04")
    pack.add_argument("--run", default="latest", help="run of notebook 04 (default: latest)")
    pack.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    pack.set_defaults(act=_pack)


def _pretrain(args: argparse.Namespace) -> None:
    paths.writable(paths.resolve(args.out), "--out")
    from . import pretrain

    pretrain.main(args.only, args.out, args.steps, args.seed)


def _pack(args: argparse.Namespace) -> None:
    from aligngemini import self_check

    paths.set_outputs(args.outputs)
    print(f"packed: {paths.short(self_check.pack(args.run))}")
