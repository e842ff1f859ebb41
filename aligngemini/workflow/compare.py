"""The command `aligngemini compare`: what changed from one run of notebook 04 or 05 to another, for a schedule."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from aligngemini.core import paths, stages
from aligngemini.core.codes import DONE, FOUND
from aligngemini.core.params import Refused

if TYPE_CHECKING:  # pandas takes long to load, and every command reads this file
    from aligngemini.core.saved_runs import SavedRun

HELP = (
    "compare two runs of notebook 04 or 05 in parameters, versions, data, models, code and results; exit code 3: a "
    "result fell beyond its interval, or is gone"
)
RUN = "a run's name or its beginning, latest, previous (the one before RUN_B), a run's folder, or a folder of outputs"
NOTEBOOKS = stages.ANALYSIS, stages.FUSION


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    compare = commands.add_parser("compare", help=HELP, description=HELP)
    compare.add_argument("before", metavar="RUN_A", help=RUN)
    compare.add_argument("after", metavar="RUN_B", help="the run that should not be worse, named likewise")
    compare.add_argument("--json", action="store_true", help="print all changes and all results as JSON")
    compare.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    compare.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print what changed; return 0, or 3 if a result fell or is gone. Raises Refused."""
    paths.set_outputs(args.outputs)
    from aligngemini.analysis import changes
    from aligngemini.workflow import locate

    if args.after == "previous":
        raise Refused("previous is the run before RUN_B, so it comes first: aligngemini compare previous latest")
    home = str(paths.outputs())
    after = changes.snapshot(locate.run(args.after, *NOTEBOOKS))
    if args.before == "previous":
        before = changes.snapshot(_previous(after.run))
    else:
        paths.set_outputs(home)
        before = changes.snapshot(locate.run(args.before, *NOTEBOOKS))
    folders = {name: paths.short(each.run.folder) for name, each in (("before", before), ("after", after))}
    if before.run.notebook != after.run.notebook:
        raise Refused(f"{' and '.join(folders.values())} are of two notebooks: name two runs of 04, or two of 05")
    found = {"changes": changes.made_of(before, after), "results": changes.results(before, after)}
    if args.json:
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in found.items()}
        print(json.dumps(folders | rows, indent=1, ensure_ascii=False))
    else:
        rows = found["changes"].itertuples(index=False)
        lines = [f"{row.part}: {row.name} {row.before} → {row.after} ({row.runs})" for row in rows]
        lines = lines or ["made of the same parameters, versions, data, models and code"]
        lines += _results(found["results"])
        print("\n".join([f"{folders['before']} → {folders['after']}", *lines]))
    return FOUND if found["results"].change.isin(["fell", "gone"]).any() else DONE


def _previous(run: "SavedRun") -> "SavedRun":
    """The newest run of the notebook, scale and seed of `run` that was complete before it."""
    from aligngemini.core import saved_runs

    runs = [each for each in saved_runs.complete(run.notebook) if (each.scale, each.seed) == (run.scale, run.seed)]
    names = [each.name for each in runs]
    if not (place := names.index(run.name)):
        raise Refused(f"no complete run of {run.notebook} like {run.name} is older: name the run to compare with")
    return saved_runs.load(run.notebook, names[place - 1])


def _results(table: Any) -> list[str]:
    """One line for each result that changed, and how many there are."""
    from aligngemini.analysis.tables import spell

    lines = []
    for row in table[table.change != "none"].itertuples():
        line = f"{row.change}: {row.model} on {row.subset} of {row.benchmark}"
        if row.change in ("fell", "rose"):
            gain = spell(row.difference, row.low, row.high, sign=True)
            which = "the same" if row.same_images else "other"
            line += f", {row.before:.2f} → {row.after:.2f}, by {gain} on {which} images"
        lines.append(line)
    fell = (table.change == "fell").sum()
    return [*lines, f"{fell} of {len(table)} results fell beyond their intervals, all claims counted together"]
