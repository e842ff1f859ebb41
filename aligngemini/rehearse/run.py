"""The rehearsal from end to end: every stage computed for a card, and run on this machine where it can be."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ..workbook.progress import say
from .cards import Card, smallest
from .clock import Clock, free
from .ledger import Count
from .parts import CASTS, Cast, Part
from .setting import PHOTO, Setting


@dataclass(frozen=True)
class Row:
    """A line of the table. how: "computed" or "measured"; rate: units a second; peak: bytes; seconds: for all `many`
    units of the published experiment; fits: on `device`; card: the smallest known card that the count fits, or "".
    """

    stage: str
    how: str
    device: str
    size: str
    batch: int
    unit: str
    rate: float
    peak: float
    many: float
    seconds: float
    fits: bool
    shrink: str
    notebook: str
    card: str = ""
    flops: float = math.nan


def computed(setting: Setting, card: Card) -> list[Row]:
    """Every stage, counted on the meta device and timed for `card`."""
    rows = []
    for cast in CASTS:
        say(f"counting the {cast.name}")
        model = cast.shape(setting)
        rows += [
            _computed(part, part.count(model, setting), setting, card) for part in cast.asked(setting) if part.count
        ]
    return rows


def _computed(part: Part, count: Count, setting: Setting, card: Card) -> Row:
    rate = count.units / card.seconds(count)
    return Row(
        part.name, "computed", card.name, part.px(setting), count.units, part.unit, rate, count.peak,
        part.units(setting), part.units(setting) / rate, card.fits(count), part.shrink, part.notebook,
        smallest(count), count.flops / count.units,
    )  # fmt: skip


def measured(setting: Setting) -> list[Row]:
    """Every stage that this machine can run; without a GPU that is not the VLM of paper scale, and less of the rest."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tried = setting if device == "cuda" else setting.on_cpu()
    casts = [cast for cast in CASTS if device == "cuda" or setting.scale != "paper" or not cast.heavy]
    return [row for cast in casts for row in _played(cast, tried, device)]


def _played(cast: Cast, setting: Setting, device: str) -> list[Row]:
    torch.manual_seed(setting.vlm.seed)
    with TemporaryDirectory() as folder:
        say(f"building the {cast.name}")
        try:
            model = cast.build(setting, Path(folder), device)
        except torch.OutOfMemoryError:
            free()
            return [_measured(part, Clock(device, large=True), setting) for part in cast.asked(setting)]
        rows = [_part(part, model, setting, Path(folder) / part.name, device) for part in cast.asked(setting)]
    del model
    free()
    return rows


def _part(part: Part, model, setting: Setting, folder: Path, device: str) -> Row:
    say(f"rehearsing: {part.name}")
    clock = Clock(device).run(partial(part.door, model, setting, folder))
    free()
    return _measured(part, clock, setting)


def _measured(part: Part, clock: Clock, setting: Setting) -> Row:
    true, tried = (math.prod(photo) for photo in (PHOTO[setting.scale], setting.photo))
    longer = (true / tried if part.by_area else 1.0) / part.processes(setting)
    batch = clock.laps[0][1] if clock.laps else 0
    return Row(
        part.name, "measured", place(clock.device), part.px(setting), batch, part.unit, clock.rate, clock.peak,
        part.units(setting), longer * part.units(setting) / clock.rate, not clock.large, part.shrink, part.notebook,
    )  # fmt: skip


def place(device: str) -> str:
    """The name of what was measured on: the GPU's own, or the number of threads."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def minutes(rows: list[Row]) -> dict[str, int]:
    """Minutes of each notebook by the computed rows, rounded up; for plan.yaml."""
    times: dict[str, float] = {}
    for row in rows:
        if row.how == "computed" and row.notebook:
            times[row.notebook] = times.get(row.notebook, 0) + row.seconds / 60
    return {notebook: math.ceil(time) for notebook, time in sorted(times.items())}
