"""Sweeps: a study run for several seeds and at every point of notebook 01, one plan each, complete runs reused."""

import dataclasses
from typing import Any, NamedTuple

from aligngemini.branches.registry import KINDS
from aligngemini.core import recipes, stages
from aligngemini.core.params import Refused
from aligngemini.core.recipes import Study
from aligngemini.core.saved_runs import SavedRun
from aligngemini.workflow import execute, plan
from aligngemini.workflow.executors import Local
from aligngemini.workflow.plan import Plan

TRAINED = {kind.notebook: kind.name for kind in KINDS.values() if kind.notebook}
COLUMNS = ("supervision",)  # parameters that have a column of their own in the table


class Part(NamedTuple):
    """One data run and all that stands on it: `data` is its point of notebook 01, all notebooks share `seed`; `varied`
    are the parameters of which the grid has several values.
    """

    seed: int
    data: dict[str, Any]
    plan: Plan
    varied: set[str]


class Made(NamedTuple):
    """A complete run of a sweep, with where it stands: seed, point of 01, and point of its own notebook."""

    seed: int
    data: str
    point: str
    answer: SavedRun


def spelt(point: dict[str, Any], varied: set[str]) -> str:
    """Return what varies of a point in words, without what the name of a model says: "held_out shadow dog", ""."""
    words = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in point.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items() if name in varied.difference(COLUMNS))


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
    plans = [(seed, data, _plan(scale, asked, seed, data, options)) for seed in seeds for data in points]
    return asked, [Part(*each, asked.varied) for each in plans]


def _plan(scale: str, study: Study, seed: int, data: dict[str, Any], options: list[tuple[str, str]]) -> Plan:
    """Return the plan of one part. Refuses a grid that leaves out a notebook whose runs another one joins."""
    whole = plan.make(scale, study.name, [*options, ("seed", str(seed))], data=data)
    items = [item for item in whole.items if item.stage.name in (stages.DATA, *study.grid)]
    fusions = [item for item in items if item.stage.name == stages.FUSION]
    joined = {each.notebook for item in fusions for each in stages.selectors(item.cfg({}))}
    if missing := sorted(joined - set(study.grid)):
        raise Refused(f"study {study.name} has {stages.FUSION}: then its grid must name {' and '.join(missing)}, too")
    part = ", ".join(filter(None, [f"seed {seed}", spelt(data, study.varied)]))  # such as "seed 1, held_out shadow dog"
    return dataclasses.replace(whole, items=items, part=part)


def run(parts: list[Part], executor: Local | None = None) -> list[Made]:
    """Run all parts, one notebook after another if no `executor` runs more, and return every run they stand on; what
    is complete is reused.

    Raises what `execute.run` raises: the same command continues there.
    """
    made = []
    for part, answers in zip(parts, execute.run([part.plan for part in parts], executor=executor), strict=True):
        for item, answer in zip(part.plan.items, answers, strict=True):
            point = "" if item.stage.name == stages.DATA else spelt(item.point, part.varied)
            made.append(Made(part.seed, spelt(part.data, part.varied), point, answer))
    return made
