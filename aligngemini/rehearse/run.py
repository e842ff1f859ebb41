"""Run every stage, on paper or on this machine: one row of the table for each."""

import gc
import math
import resource
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import torch

from aligngemini.core.params import Refused
from aligngemini.core.progress import say

from . import models
from .flop_counter import FEW, Count, at, counted
from .gpus import GPU, smallest
from .stages import STAGES, Setting, Stage

Row = dict[str, Any]
MEMORY = {"paper": 20, "colab": 10}  # GB that the true sizes take on a CPU: most are the VLM's weights in bfloat16


def place(scale: str, wanted: str = "") -> str:
    """Where to measure, `wanted` or a GPU; without one what a CPU is for on the CPU, and the large sizes nowhere ("").

    Raises Refused where there is no GPU, or too little memory.
    """
    gpu, free = torch.cuda.is_available(), psutil.virtual_memory().available / 1e9
    if wanted == "cuda" and not gpu:
        raise Refused("there is no GPU here: take --device cpu, or --computed")
    large = MEMORY.get(scale, 0)
    if wanted == "cpu" and free < large:
        raise Refused(f"the true sizes take {large} GB of memory, {free:.0f} are free: free some, or take --computed")
    return wanted or ("cuda" if gpu else "" if large else "cpu")


def computed(setting: Setting, gpu: GPU) -> Iterator[Row]:
    """Count every stage that works on a GPU, in batches of one; peak and time are those of the recipe's batches."""
    single = setting.single()
    for stage, folder, (model, module) in _each(single, models.HOLLOW):
        say(f"counting: {stage.name}")
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.model != "vlm"):  # as on a GPU
            count, units = count_of(stage, model, module, single, folder)
        batch, flops = stage.held(setting), count.flops / units
        peak, seconds = count.weights + batch * count.activations / units, gpu.seconds(flops, count.read / batch)
        row = _row(stage, setting, "computed", gpu.name, batch, seconds, peak)
        yield row | {"TFLOP each": flops / 1e12, "fits": gpu.fits(peak), "smallest GPU": smallest(peak)}
        del model, module  # before the next is built


def count_of(stage: Stage, model: Any, module: torch.nn.Module, setting: Setting, folder: Path) -> tuple[Count, int]:
    """The count of one step, and of how many images or pairs it is; for long answers, from short ones."""
    if not stage.tokens:
        count, (units, _) = counted(partial(stage.run, model, setting, folder, 1), module)
        return count, units
    counts = []
    for tokens in FEW:
        with models.answering(module, tokens):
            count, (units, _) = counted(partial(stage.run, model, setting, folder / str(tokens), 1), module)
        counts.append(count)
    return at(getattr(setting, stage.tokens), counts), units


def measured(setting: Setting, device: str, steps: int) -> Iterator[Row]:
    """Run every stage on "cuda" or "cpu"; the first of several steps warms up and is not counted."""
    setting = setting.single() if device == "cpu" and setting.scale in MEMORY else setting
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    for stage, folder, built in _each(setting, device):
        say(f"rehearsing: {stage.name}")
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        ran = built and _tried(partial(stage.run, built[0], setting, folder, steps + (steps > 1)))
        batch, times = ran or (0, [])
        row = _row(stage, setting, "measured", name, batch, _seconds(times) / (batch or 1), _peak(device))
        yield row | {"TFLOP each": math.nan, "fits": bool(times), "smallest GPU": ""}
        del built  # before the next is


def _seconds(times: list[float]) -> float:
    """Those of a step; NaN for none."""
    times = times[1:] if len(times) > 2 else times
    return (times[-1] - times[0]) / (len(times) - 1) if times else math.nan


def _peak(device: str) -> int:
    """Bytes at the peak: what torch has allocated on a GPU, else the whole process since it began."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _row(stage: Stage, setting: Setting, how: str, device: str, batch: int, seconds: float, peak: float) -> Row:
    """What both have in common; `seconds` are those of one image or pair, `peak` is in bytes."""
    units, processes = stage.units(setting), 1 if stage.batch else max(1, setting.expert.workers)
    size, minutes = "x".join(map(str, setting.sizes[stage.model])), units * seconds / processes / 60
    names = {"stage": stage.name, "how": how, "on": device, "px": size, "batch": batch, "unit": stage.unit}
    numbers = {"a second": 1 / seconds, "peak, GB": peak / 1e9, "for": units, "minutes": minutes}
    return names | numbers | {"notebook": stage.notebook, "lower": stage.lower}


def _each(setting: Setting, device: str) -> Iterator[tuple[Stage, Path, Any]]:
    """Every stage that the recipes ask for, a folder and its model; None for one that the device is too small for."""
    asked = [stage for stage in STAGES if stage.name != "labelling" or setting.vlm.labeller]
    asked = [stage for stage in asked if stage.batch or device != models.HOLLOW]
    for model, group in groupby(asked, lambda stage: stage.model):
        with TemporaryDirectory() as folder:
            torch.manual_seed(setting.vlm.seed)
            say(f"building: {model}")
            built = _tried(partial(getattr(models, model), setting, Path(folder), device))
            for stage in group:
                yield stage, Path(folder) / stage.name, built
            built = None


def _tried(call: Callable[[], Any]) -> Any:
    """What a call gives; None where the GPU is too small for it, which is a finding and no failure."""
    gc.collect()
    try:
        return call()
    except torch.OutOfMemoryError:
        return None
