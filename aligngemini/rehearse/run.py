"""Run every stage, on paper or on this machine: one row of the table for each."""

import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import psutil
import torch
from trl.trainer import utils

from aligngemini.core import devices
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress, say

from . import models, stages
from .flop_counter import FEW, Count, at, counted
from .gpus import GPU, MEMORY, smallest
from .setting import SHORT, Setting
from .stages import Stage

Row = dict[str, Any]
TRAINED = 7  # times the adapter's bytes on disk: itself, and two checkpoints with Adam's two numbers for each
PNG = 0.55  # of a photograph's pixels, in bytes (ours)


def place(setting: Setting, wanted: str = "", only: str = "") -> str:
    """Where to measure, `wanted` or a GPU; without one what a CPU is for on the CPU, and the large sizes nowhere ("").

    Raises Refused where there is no GPU, or too little memory.
    """
    gpu, free, large = torch.cuda.is_available(), psutil.virtual_memory().available / 1e9, MEMORY.get(setting.scale, 0)
    if wanted == "cuda" and not gpu:
        raise Refused("there is no GPU here: take --device cpu, or --computed")
    if wanted == "cpu" and free < large and any(stage.model == "vlm" for stage in stages.of(setting, only)):
        raise Refused(f"the true sizes take {large} GB of memory, {free:.0f} are free: free some, or take --computed")
    return wanted or ("cuda" if gpu else "" if large else "cpu")


def computed(setting: Setting, gpu: GPU, only: str = "", notebooks: Collection[str] = ()) -> Iterator[Row]:
    """Count every stage that works on a GPU, or those of `notebooks`, in batches of one; peak and time are those of the
    recipe's batches.
    """
    asked = [each for each in stages.of(setting, only) if each.held and each.notebook in (notebooks or [each.notebook])]
    for stage in progress(asked, "counting"):
        count, units = count_of(stage, setting.single(), narrow=True)
        flops, peak = count.flops / units, count.weights + stage.held * count.activations / units
        row = _row(stage, setting, "computed", gpu.name, stage.held, gpu.seconds(flops, count.read / stage.held), peak)
        numbers = {"TFLOP each": flops / 1e12, "fits": gpu.fits(peak), "smallest GPU": smallest(peak)}
        yield row | numbers | {"disk, GB": _written(stage, setting, count) / 1e9}


def _written(stage: Stage, setting: Setting, count: Count) -> float:
    """Bytes of the files that a stage leaves; scores and words take next to none."""
    if stage.unit == "photograph":
        return 2 * stage.many * 3 * PNG * math.prod(setting.photo)
    return TRAINED * count.trained if stage.unit == "pair" else 0.0


def count_of(stage: Stage, setting: Setting, narrow: bool = False) -> tuple[Count, int]:
    """The count of one step, and of how many images or pairs it is; for long answers, from short ones.

    narrow: as on a GPU, which computes in 16 bits and has room for whole photographs.
    """
    say(f"counting: {stage.name}")
    counts, units = [], 0
    with TemporaryDirectory() as folder, patch.object(devices, "best", return_value="cpu"):
        model, module = built(stage, setting, Path(folder), models.HOLLOW)
        if stage.model == "vae":
            model.threads = None  # what other threads compute is not counted
        if narrow and stage.model == "vae":
            model.tile = max(max(shape) for shape in setting.shapes)
        for tokens in FEW if stage.tokens else (0,):
            short = setting._replace(explained=tokens, reason=tokens)
            units, go = stage.run(model, short, Path(folder) / "step")
            with _narrow(stage) if narrow else nullcontext():
                counts.append(counted(lambda go=go: go(1), module))
    return at(stage.tokens, counts) if stage.tokens else counts[0], units


@contextmanager
def _narrow(stage: Stage) -> Iterator[None]:
    """Let a model compute in 16 bits, and TRL score the positions of answers alone, as both do on a GPU."""
    sixteen = torch.autocast("cpu", torch.bfloat16, enabled=stage.model != "vlm")
    with sixteen, patch.object(utils, "_use_triton", lambda device: True):
        yield


def measured(setting: Setting, device: str, steps: int, only: str = "") -> Iterator[Row]:
    """Run every stage on "cuda" or "cpu", each in a process of its own; the first of several steps warms up and is not
    measured. A CPU takes the large sizes one by one, and answers in few words.
    """
    if device == "cpu" and setting.scale in MEMORY:
        setting = setting.single()._replace(explained=SHORT, reason=SHORT)
    for stage in stages.of(setting, only):
        say(f"rehearsing: {stage.name}")
        ran = apart(measure, stage, setting, device, steps)
        batch, seconds, peak, name = ran or (0, math.nan, math.nan, device)
        row = _row(stage, setting, "measured", name, batch, seconds / (batch or 1), peak)
        say(f"{stage.name}: {row['a second']:.3g} a second, {row['peak, GB']:.3g} GB at the peak")
        if device == "cpu" and stage.held:
            count = count_of(stage, setting)[0]
            row |= {"counted, GB": (count.weights + count.activations) / 1e9}
        yield row | {"fits": bool(ran)}


def measure(stage: Stage, setting: Setting, device: str, steps: int) -> tuple[int, float, int, str]:
    """Images or pairs of a step, its seconds, bytes at the peak (see `_peak`), and the device's name."""
    with TemporaryDirectory() as folder, patch.object(devices, "best", return_value=device):
        model, module = built(stage, setting, Path(folder), device)
        weights = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
        libraries = psutil.Process().memory_info().rss - weights
        units, go = stage.run(model, setting, Path(folder) / "step")
        if steps > 1:
            go(1)
        started = _clock()
        go(steps)
        seconds = (_clock() - started) / steps
    name = devices.name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return units, seconds, _peak(device, libraries), name


def built(stage: Stage, setting: Setting, folder: Path, device: str) -> tuple[Any, torch.nn.Module]:
    """The model of a stage, and its module."""
    torch.manual_seed(setting.vlm.seed)
    return getattr(models, stage.model)(setting, folder, device)


def apart(call: Callable, *given: Any) -> Any:
    """What a call gives in a process of its own, whose memory is its alone; None where there is too little, which is a
    finding and no failure.
    """
    # libraries are loaded once, but where there is a GPU: some of them begin to use it, and it cannot be shared so
    context = multiprocessing.get_context("spawn" if devices.best() == "cuda" else "forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(call, *given).result()
        except (torch.OutOfMemoryError, MemoryError, BrokenProcessPool):  # the last: the system ended it
            return None


def _clock() -> float:
    """Seconds, once all that a GPU was asked for is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak(device: str, libraries: int) -> int:
    """Bytes at the peak: what torch has allocated on a GPU, else what the process took beside its libraries."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) - libraries


def _row(stage: Stage, setting: Setting, how: str, device: str, batch: int, seconds: float, peak: float) -> Row:
    """What both have in common; `seconds` are those of one image or pair, `peak` is in bytes."""
    processes = 1 if stage.held else max(1, setting.expert.workers)
    size, minutes = "x".join(map(str, setting.size(stage.model))), stage.many * seconds / processes / 60
    names = {"stage": stage.name, "how": how, "on": device, "px": size, "batch": batch, "unit": stage.unit}
    numbers = {"a second": 1 / seconds, "peak, GB": peak / 1e9, "counted, GB": math.nan, "for": stage.many}
    rest = {"TFLOP each": math.nan, "disk, GB": math.nan, "smallest GPU": "", "fits": True}
    return names | numbers | {"minutes": minutes} | rest | {"notebook": stage.notebook, "lower": stage.lower}
