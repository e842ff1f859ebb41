"""The command `aligngemini reproduce`: make a run again from its manifest, in another folder, and compare."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aligngemini.core import paths
from aligngemini.core.codes import DONE, FOUND
from aligngemini.core.params import Refused

if TYPE_CHECKING:  # pandas takes long to load, and every command reads this file
    from aligngemini.core.saved_runs import SavedRun

TOLERANCE = 1e-3  # of numbers that another machine computes, relative
HELP = (
    "make a run again from its manifest, in a folder of its own, and compare: bit by bit where the machine and the "
    f"versions are the same, else numbers of tables and results to {TOLERANCE:g}; exit code 3: it differs"
)


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    reproduce = commands.add_parser("reproduce", help=HELP, description=HELP)
    reproduce.add_argument("run", metavar="RUN", help="a run's name or its beginning, latest, or a run's folder")
    reproduce.add_argument("--all", action="store_true", help="make the runs that it stands on again, too")
    reproduce.add_argument(
        "--into", metavar="DIR", help="new folder of outputs (default: reproduced/RUN beside the runs)"
    )
    reproduce.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    reproduce.set_defaults(act=act, stopped="delete the new folder of outputs, then the same command begins anew")


def act(args: argparse.Namespace) -> int:
    """Make the run again and print what differs; return 0, or 3 if anything does. Raises Refused, Failed."""
    from aligngemini.workflow import locate, verify

    paths.set_outputs(args.outputs)
    run = locate.run(args.run, *locate.EVERY, check=False)
    below, lines = verify.lineage(run)
    again = [each for each in below if each is run or args.all or any(verify.outputs(each))]
    lines += verify.told((each, line) for each in again for line in verify.origins(each))
    if lines:
        raise Refused("the run cannot be made again from what is here:\n" + "\n".join(lines))
    home = _home(run, args.into)
    for each in [each for each in below if each not in again]:
        (home / each.notebook).mkdir(parents=True, exist_ok=True)
        (home / each.notebook / each.name).symlink_to(each.folder.resolve())
        print(f"{each.notebook}/{each.name}: reused, it has not changed", flush=True)
    paths.set_outputs(str(home))
    made: dict[str, SavedRun] = {}
    for each in again:
        made[each.name] = _made(each, {name: new.name for name, new in made.items()})
    differences = [f"{each.notebook}/{each.name}: {line}" for each in again for line in compared(each, made[each.name])]
    print("\n".join(differences or [f"the same: {paths.short(made[run.name].folder)}"]))
    return FOUND if differences else DONE


def _home(run: "SavedRun", into: str | None) -> Path:
    """The new folder of outputs. Raises Refused where there is something."""
    home = paths.resolve(into, Path.cwd()) if into else paths.outputs() / "reproduced" / run.name
    if home.is_dir() and any(home.iterdir()):
        raise Refused(f"{paths.short(home)} holds something already: delete it, or choose another folder with --into")
    return paths.writable(home, "--into")


def _made(run: "SavedRun", names: dict[str, str]) -> "SavedRun":
    """Run the notebook of `run` with its parameters; `names`: the runs made again before it, old name -> new."""
    from aligngemini.core import redaction, saved_runs, stages
    from aligngemini.workflow import execute, plan

    def renamed(text: str) -> str:
        return " ".join(names.get(word, word) for word in text.split(" "))

    stage = stages.find(run.notebook)
    usual = vars(stage.params())
    given = {name: redaction.mapped(value, renamed) for name, value in run.params.items() if usual[name] != value}
    item = plan.Item(stage, {}, given | {"scale": run.scale}, given)
    (answers,) = execute.run([plan.Plan(run.scale, "", "", [item], stage, stage, {})])
    return saved_runs.load(run.notebook, answers[-1].name)


def compared(before: "SavedRun", after: "SavedRun") -> list[str]:
    """One line for each file and result that differs: bit by bit on the same machine, else by more than TOLERANCE."""
    from aligngemini.core import values

    exact = _machine(before) == _machine(after)
    old, new = before.manifest["files"], after.manifest["files"]
    lines = [f"{name} is only in one of both" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        equal = old[name]["sha256"] == new[name]["sha256"]
        if not equal and _differ(before.path(name), after.path(name), exact):
            lines.append(f"{name} differs")
    for name in sorted({*before.results, *after.results}):
        one, other = before.results.get(name), after.results.get(name)
        if one != other and (exact or not values.same(one, other, TOLERANCE)):
            lines.append(f"result {name}: {one} → {other}")
    return lines


def _machine(run: "SavedRun") -> Any:
    """What the last bits of numbers may depend on."""
    return {name: value for name, value in run.manifest["environment"].items() if name != "git"}


def _differ(one: Path, other: Path, exact: bool) -> bool:
    """Whether two files of other bytes differ: pages if they do in more than the outputs that they name, all else where
    it shall be `exact`, and otherwise tables and JSON files if their numbers do by more than TOLERANCE.
    """
    from aligngemini.core import values

    if one.suffix in values.TEXTS:
        return exact and _text(one) != _text(other)
    if exact or one.suffix not in values.SUFFIXES:
        return exact
    try:
        return not values.same(values.read(one), values.read(other), TOLERANCE)
    except Refused:
        return True


def _text(file: Path) -> str:
    """A text without the names of its outputs, which stand two folders above it."""
    text, outputs = file.read_text(encoding="utf-8"), file.parents[2]
    for place in (str(outputs), paths.short(outputs)):
        text = text.replace(f" --outputs {place}", "").replace(place, "")
    return text
