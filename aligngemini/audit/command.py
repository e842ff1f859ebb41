"""The command `aligngemini audit`: its words, and what it answers."""

import argparse
from pathlib import Path
from typing import Any

from aligngemini.core import paths
from aligngemini.core.codes import DONE, FOUND

EPILOG = """exit code: 0 no image was left out and every verdict is "usable" (texts and hidden files are counted,
and are no loss), 3 done with findings, 1 failed, 2 refused, 130 stopped"""


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    audit = commands.add_parser(
        "audit", help="list the cues that give the class away in a set of images", epilog=EPILOG
    )
    audit.add_argument("what", metavar="SET", help="an image table, a labelled folder, a CSV list, or NAME:DIR[:REALS]")
    audit.add_argument(
        "--against", nargs="+", action="extend", default=[], metavar="SET", help="training sets to compare with"
    )
    audit.add_argument("--words", default="", metavar="BASE", help="also probe the descriptions of this VLM")
    audit.add_argument("--out", metavar="DIR", help="folder for audit.parquet, audit.md and left_out.csv")
    audit.add_argument("--workers", type=int, default=2, metavar="N", help="threads that read files (default: 2)")
    audit.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Audit, print and write; return 0 for a clean set and FOUND for one with findings. Raises Refused, DiskFull."""
    folder = paths.writable(args.out, "--out", "audit.*", "left_out.csv") if args.out is not None else None
    from . import report

    found = report.audit(args.what, args.against, _words(args.words) if args.words else None, args.workers)
    print(report.text(found))
    if folder:
        print(f"written: {report.write(found, folder)}")
    return DONE if found.clean else FOUND


def _words(base: str) -> Any:
    from aligngemini.vlm import description_probe, load

    vlm = load.load(str(Path(base).absolute()) if Path(base).exists() else base)
    return lambda rows: description_probe.description_auroc(vlm, rows)
