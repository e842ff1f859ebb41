"""What the stages of a plan take by count: memory, time and disk, beside what this machine has."""

import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil

from aligngemini.core import stages
from aligngemini.core.params import Refused
from aligngemini.rehearse.gpus import GPU, GPUS, MEMORY

from . import status
from .checks import Check
from .plan import ALL, Plan


def checks(plan: Plan, written: dict[str, float]) -> Iterator[Check]:
    """What the stages that train or score take by count, against this machine, and the minutes of all; their files
    go into `written`, in GB.

    Counting takes a minute at true sizes. What it cannot count, a model whose sizes are not known, is said and not
    missing.
    """
    given = {name: configs_of(plan, name) for name in (stages.DATA, stages.VLM, stages.EXPERT)}
    if not any(given.values()):
        return
    machine, configs = _machine(), [each[0] if each else stages.STAGES[name].params() for name, each in given.items()]
    try:
        rows = _counted(plan.scale, *configs, machine, [name for name, each in given.items() if each])
    except Refused as refusal:
        yield Check(ALL, "memory", partial(str, f"not counted: {refusal}"))
        return
    lacking = not machine.name and plan.scale in MEMORY
    if lacking:
        yield Check(ALL, "a GPU", partial(_no_gpu, plan.scale))
    for row in rows:
        written[row["notebook"]] = written.get(row["notebook"], 0) + row.get("disk, GB", 0)
        check = partial(_takes, row) if lacking else partial(_fits, row, machine)
        yield Check(row["notebook"], f"memory for {row['stage']}", check)
    yield from _time(plan, rows, machine)


def _time(plan: Plan, rows: list[dict[str, Any]], machine: GPU) -> Iterator[Check]:
    """Minutes of the notebooks, and of all: counted where they run on a GPU, else as expected of this machine."""
    minutes: dict[str, float] = {}
    by_count = bool(machine.name) or plan.scale in MEMORY
    for name in [item.stage.name for item in plan.mine]:  # once for each point of the study
        counted = sum(row["minutes"] for row in rows if row["notebook"] == name)
        usual = status.expected(name, plan.scale, plan.minutes) / 60
        minutes[name] = minutes.get(name, 0) + (counted if by_count and counted else usual)
    on = _speed(machine.name).name
    how = f"by count for one {on}, without reading and writing files" if by_count else "as last time, or by plan.yaml"
    for name, value in [*minutes.items(), (ALL, sum(minutes.values()))]:
        yield Check(name, "time", partial(str, f"about {math.ceil(value)} min" + f", {how}" * (name == ALL)))


def _counted(scale: str, data: Any, vlm: Any, expert: Any, machine: GPU, notebooks: list[str]) -> list[dict[str, Any]]:
    """The computed rows of a rehearsal of some notebooks with these parameters."""
    from aligngemini.rehearse import run, setting

    tried = setting.make(scale)._replace(data=data, vlm=vlm, expert=expert)
    return list(run.computed(tried, machine, notebooks=notebooks))


def _machine() -> GPU:
    """The GPU of this machine, or its memory where it has none; with the speed of a GPU that is known."""
    import torch

    if not torch.cuda.is_available():
        return _speed("")._replace(name="", memory=psutil.virtual_memory().total / 1e9)
    card = torch.cuda.get_device_properties(0)
    return _speed(card.name)._replace(name=card.name, memory=card.total_memory / 1e9)


def _speed(name: str) -> GPU:
    """The known GPU of that name; else the one that `rehearse` takes where nothing is said."""
    models = {gpu.name.rsplit(" ", 2)[0]: gpu for gpu in GPUS.values()}  # without its memory: "A100"
    return next((gpu for model, gpu in models.items() if re.search(rf"\b{model}\b", name)), GPUS["a100-80"])


def _no_gpu(scale: str) -> None:
    raise Refused(f"there is none here, and the scale {scale} needs one: take another machine, or --scale laptop")


def _takes(row: dict[str, Any]) -> str:
    """Say what a stage takes of a GPU that is not here."""
    return f"{row['peak, GB']:.1f} GB by count; the smallest GPU that it fits: {row['smallest GPU']}"


def _fits(row: dict[str, Any], machine: GPU) -> str:
    """Say what a stage takes of this machine; raises Refused where that is too much."""
    peak = row["peak, GB"] * (1 if machine.name else 2)  # a GPU computes in 16 bits, a processor in float32
    takes = f"{peak:.1f} GB by count"
    if not machine.fits(peak * 1e9):
        raise Refused(f"{takes}, and there are {machine.memory:.0f}: lower {row['lower']}, or take a larger machine")
    return f"{takes}, of {machine.memory:.0f}" + (f" on {machine.name}" if machine.name else "")


def configs_of(plan: Plan, notebook: str) -> list[Any]:
    """The parameters of the first item of a notebook that is executed; none where it is not."""
    return [item.cfg({}) for item in plan.mine if item.stage.name == notebook][:1]
