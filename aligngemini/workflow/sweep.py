"""Sweeps: a study run for several seeds and at every point of notebook 01, one plan each, complete runs reused."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from aligngemini.branches.registry import KINDS
from aligngemini.core import paths, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.core.recipes import Study
from aligngemini.workflow import execute, plan
from aligngemini.workflow.execute import Answer
from aligngemini.workflow.plan import Plan
from aligngemini.workflow.status import expected

TRAINED = {kind.notebook: kind.name for kind in KINDS.values() if kind.notebook}
COLUMNS = ("supervision",)  # parameters that have a column of their own in the table


class Part(NamedTuple):
    """One data run and all that stands on it: `data` is its point of notebook 01, all notebooks share `seed`."""

    seed: int
    data: dict[str, Any]
    plan: Plan

    @property
    def label(self) -> str:
        """Its seed and point, e.g. "seed 1, held_out shadow dog"."""
        return ", ".join(filter(None, [f"seed {self.seed}", spelt(self.data)]))


class Made(NamedTuple):
    """A complete run of a sweep, with where it stands: seed, point of 01, and point of its own notebook."""

    seed: int
    data: str
    point: str
    answer: Answer


def spelt(point: dict[str, Any]) -> str:
    """Return a point in words, without what the name of a model says: "held_out shadow dog", ""."""
    words = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in point.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items() if name not in COLUMNS)


def make(
    scale: str, study: str, seeds: list[int], options: list[tuple[str, str]] | None = None
) -> tuple[Study, list[Part]]:
    """Return the study and its parts, seeds outermost; of the notebooks after 01 only those its grid names run.

    `options`: (name, text) for every stage that has the name. Raises `Refused` for what no stage could run with.
    """
    options, asked = options or [], recipes.study(study)
    if not study or not TRAINED.keys() & set(asked.grid):
        raise Refused(f"a sweep needs a study whose grid names {' or '.join(TRAINED)}, even with one value")
    if not seeds or len(set(seeds)) < len(seeds):
        raise Refused("give at least one seed, and each of them once, such as 0,1,2")
    if "seed" in dict(options):
        raise Refused("the seeds of a sweep are chosen with --seeds")
    points = recipes.points(asked.grid.get(stages.DATA, {}))
    parts = [Part(seed, data, _plan(scale, asked, seed, data, options)) for seed in seeds for data in points]
    return asked, parts


def _plan(scale: str, study: Study, seed: int, data: dict[str, Any], options: list[tuple[str, str]]) -> Plan:
    """Return the plan of one part. Refuses a grid that leaves out a notebook whose runs another one joins."""
    whole = plan.make(scale, study.name, [*options, ("seed", str(seed))], data=data)
    items = [item for item in whole.items if item.stage.name in (stages.DATA, *study.grid)]
    fusions = [item for item in items if item.stage.name == stages.FUSION]
    joined = {each.notebook for item in fusions for each in stages.selectors(item.cfg({}))}
    if missing := sorted(joined - set(study.grid)):
        raise Refused(f"study {study.name} has {stages.FUSION}: then its grid must name {' and '.join(missing)}, too")
    return dataclasses.replace(whole, items=items, last=items[-1].stage)


def run(parts: list[Part]) -> list[Made]:
    """Run the parts in order and return every run they stand on; what is complete is reused.

    Raises what `execute.run` raises, at the first stage that does not become complete: the same command continues
    there.
    """
    for part in parts:
        execute.check(part.plan)
    # The most seconds that a part may take: nothing of it is complete.
    times = [sum(expected(i.stage.name, p.plan.scale, p.plan.minutes) for i in p.plan.items) for p in parts]
    found: list[Made] = []
    for place, part in enumerate(parts, start=1):
        print(f"part {place} of {len(parts)}: {part.label}", flush=True)
        answers = execute.run(part.plan, after=sum(times[place:]))
        for item, answer in zip(part.plan.items, answers, strict=True):
            point = "" if item.stage.name == stages.DATA else spelt(item.point)
            found.append(Made(part.seed, spelt(part.data), point, answer))
    return found


def home(study: str, scale: str) -> Path:
    """Return the folder of a sweep's table."""
    return paths.outputs() / "studies" / study / scale
