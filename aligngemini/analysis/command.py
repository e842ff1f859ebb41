"""The command `aligngemini report`: make the page of any run of notebook 04 or 05 anew, from its saved tables."""

import argparse
from typing import Any

from aligngemini.core import atomic, paths
from aligngemini.core.codes import DONE
from aligngemini.core.stages import ANALYSIS, FUSION


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    report = commands.add_parser("report", help="make the page of any runs of notebooks 04 and 05 anew")
    report.add_argument("runs", nargs="*", metavar="RUN", help="runs by name (default: the latest of notebook 05)")
    report.add_argument("--to", metavar="DIR", help="folder of the pages (default: reports in the folder of the runs)")
    report.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    report.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Write the pages, print their answers and where they lie. Raises Refused, DiskFull."""
    paths.set_outputs(args.outputs)
    from aligngemini.core import runs

    found = [runs.find(name, ANALYSIS, *([] if name == "latest" else [FUSION])) for name in args.runs or ["latest"]]
    home = paths.outputs() / "reports" if args.to is None else args.to
    home = paths.writable(home, "--to", "*.html")
    from aligngemini.analysis.report import remake
    from aligngemini.core.manifest import room_on_disk

    for run in found:
        answers, text = remake(run)
        path = home / f"{run.notebook[:2]}_{run.name}.html"
        with room_on_disk(path, "--to"):
            atomic.write(path, text)
        print("\n".join(map(str, answers)), f"\nreport: {paths.short(path)}", sep="\n")
    return DONE
