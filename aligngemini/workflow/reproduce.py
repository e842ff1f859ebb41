"""The command `aligngemini reproduce`: make a run again from its manifest, in another folder, and compare."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aligngemini.core import paths
from aligngemini.core.codes import DONE, FOUND
from aligngemini.core.params import Refused

if TYPE_CHECKING:  # pandas takes long to load, and every command reads this file
    import pandas as pd

    from aligngemini.core.saved_runs import SavedRun

# What another machine may make of a run (ours; MEASUREMENTS.md has what two processors differed by)
RESULT = 0.01  # by which a result may differ, or by twice that share of it, which is for counts of images
SCORE = 1e-3  # by which a number in a table of images may differ, or by that share of it
RARE = 1 / 200  # share of a table's images that may differ by more: those with a score next to a threshold
HELP = (
    "make a run again from its manifest, in a folder of its own, and compare: bit by bit where the machine and the "
    f"versions are the same, else results to {RESULT:g} and the scores of images to {SCORE:g}, but for one image in "
    f"{1 / RARE:g}; exit code 3: it differs"
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
    (answers,) = execute.run([plan.Plan(run.scale, "", "", [item], stage, {})])
    return saved_runs.load(run.notebook, answers[-1].name)


def compared(before: "SavedRun", after: "SavedRun") -> list[str]:
    """One line for each file and result that differs: bit by bit on the same machine, else by more than RESULT, or as
    `_differ` says.
    """
    exact = _machine(before) == _machine(after)
    old, new = before.manifest["files"], after.manifest["files"]
    lines = [f"{name} is only in one of both" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        equal = old[name]["sha256"] == new[name]["sha256"]
        if not equal and _differ(before.path(name), after.path(name), exact):
            lines.append(f"{name} differs")
    for name in sorted({*before.results, *after.results}):
        one, other = before.results.get(name), after.results.get(name)
        if one != other and (exact or not _near(one, other)):
            lines.append(f"result {name}: {one} → {other}")
    return lines


def _machine(run: "SavedRun") -> Any:
    """What the last bits of numbers may depend on."""
    return {name: value for name, value in run.manifest["environment"].items() if name != "git"}


def _near(one: Any, other: Any) -> bool:
    """Whether two results are equal but for what RESULT allows."""
    from aligngemini.core import values

    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=2 * RESULT, abs_tol=RESULT)
    return values.same(one, other, RESULT)


def _differ(one: Path, other: Path, exact: bool) -> bool:
    """Whether two files of other bytes differ: pages if they do in more than the outputs that they name, all else where
    it shall be `exact`, and otherwise tables of images. Weights and what follows from such tables are not compared.
    """
    from aligngemini.core import values

    if exact:
        return one.suffix not in values.TEXTS or _text(one) != _text(other)
    try:
        return one.suffix == ".parquet" and _far(values.read(one), values.read(other))
    except Refused:
        return True


def _far(one: "pd.DataFrame", other: "pd.DataFrame") -> bool:
    """Whether two tables of images have other images, or numbers that differ by more than SCORE, in more than a RARE
    share of rows.
    """
    import numpy as np

    if "image_id" not in one or "image_id" not in other:
        return False
    if one.image_id.tolist() != other.image_id.tolist():
        alone = set(one.image_id) ^ set(other.image_id)
        return len(alone) > RARE * (len(one) + len(other))
    numbers = [each.select_dtypes("number").to_numpy(float) for each in (one, other)]
    if numbers[0].shape != numbers[1].shape:
        return True
    close = np.isclose(*numbers, rtol=SCORE, atol=SCORE, equal_nan=True).all(axis=1)
    return bool((~close).sum() > RARE * len(close))


def _text(file: Path) -> str:
    """A text without the names of its outputs, which stand two folders above it."""
    text, outputs = file.read_text(encoding="utf-8"), file.parents[2]
    for place in (str(outputs), paths.short(outputs)):
        text = text.replace(f" --outputs {place}", "").replace(place, "")
    return text
