"""Sweeps: a study run for several seeds and at every point of notebook 01, one plan each, complete runs reused."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from aligngemini.branches.registry import KINDS
from aligngemini.core import paths, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.core.recipes import Study
from aligngemini.core.stages import STAGES
from aligngemini.workflow import execute, plan
from aligngemini.workflow.execute import Answer
from aligngemini.workflow.plan import Item, Plan
from aligngemini.workflow.status import expected

TRAINED = {kind.notebook: kind.name for kind in KINDS.values() if kind.notebook}
TOLD = ("supervision",)  # parameters that have a column of their own


@dataclass(frozen=True)
class Part:
    """One data run and all that stands on it: `data` is its point of notebook 01, all notebooks share `seed`."""

    seed: int
    data: dict[str, Any]
    plan: Plan

    @property
    def label(self) -> str:
        """Its seed and point, e.g. "seed 1, held_out shadow dog"."""
        return ", ".join([f"seed {self.seed}", *filter(None, [spelt(self.data)])])


@dataclass(frozen=True)
class Made:
    """A complete run of a sweep, with where it stands: seed, point of 01, and point of its own notebook."""

    seed: int
    data: str
    point: str
    answer: Answer


def spelt(point: dict[str, Any]) -> str:
    """Return a point in words, without what the name of a model says: "held_out shadow dog", ""."""
    words = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in point.items()
        if name not in TOLD
    }
    return ", ".join(f"{name} {value}" for name, value in words.items())


def make(
    scale: str, study: str, seeds: list[int], options: list[tuple[str, str]] | None = None
) -> tuple[Study, list[Part]]:
    """Return the study and its parts, seeds outermost; of the notebooks after 01 only those its grid names run.

    `options`: (name, text) for every stage that has the name. Raises `Refused` for what no stage could run with.
    """
    asked = recipes.study(study)
    if not study or not TRAINED.keys() & set(asked.grid):
        raise Refused(f"a sweep needs a study whose grid names {' or '.join(TRAINED)}, even with one value")
    if not seeds or len(set(seeds)) < len(seeds):
        raise Refused("give at least one seed, and each of them once, such as 0,1,2")
    if "seed" in dict(options or []):
        raise Refused("the seeds of a sweep are chosen with --seeds")
    points = recipes.points(asked.grid.get(stages.DATA, {}))
    parts = [_part(scale, asked, seed, data, options or []) for seed in seeds for data in points]
    _check(asked, parts[0].plan)
    return asked, parts


def _check(study: Study, plan: Plan) -> None:
    """Refuse a study with notebook 04 whose grid leaves out a notebook whose runs are joined there."""
    fusions = [item for item in plan.items if item.stage.name == stages.FUSION]
    joined = {each.notebook for item in fusions for each in stages.selectors(item.cfg({}))}
    if missing := sorted(joined - set(study.grid)):
        raise Refused(f"study {study.name} has {stages.FUSION}: then its grid must name {' and '.join(missing)}, too")


def _part(scale: str, study: Study, seed: int, data: dict[str, Any], options: list[tuple[str, str]]) -> Part:
    whole = plan.make(scale, study.name, [*options, ("seed", str(seed))], data=data)
    wanted = [name for name in STAGES if name == stages.DATA or name in study.grid]
    items = [item for item in whole.items if item.stage.name in wanted]
    return Part(seed, data, dataclasses.replace(whole, items=items, last=STAGES[wanted[-1]]))


def run(parts: list[Part]) -> list[Made]:
    """Run the parts in order and return every run they stand on; what is complete is reused.

    Raises what `execute.run` raises, at the first stage that does not become complete: the same command continues
    there.
    """
    for part in parts:
        execute.check(part.plan)
    times = [_seconds(part.plan) for part in parts]
    found: list[Made] = []
    for place, part in enumerate(parts, start=1):
        print(f"part {place} of {len(parts)}: {part.label}", flush=True)
        answers = execute.run(part.plan, after=sum(times[place:]))
        found += [_made(part, *pair) for pair in zip(part.plan.items, answers, strict=True)]
    return found


def _seconds(plan: Plan) -> float:
    """Return the seconds a plan takes if nothing of it is complete: the most that may be left."""
    return sum(expected(item.stage.name, plan.scale, plan.minutes) for item in plan.items)


def _made(part: Part, item: Item, answer: Answer) -> Made:
    return Made(part.seed, spelt(part.data), "" if item.stage.name == stages.DATA else spelt(item.point), answer)


def home(study: str, scale: str):
    """Return the folder of a sweep's table."""
    return paths.outputs() / "studies" / study / scale
