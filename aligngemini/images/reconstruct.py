"""Pairs for the pixel set: every photograph beside its reconstruction by an autoencoder, alike in format,
tables and size.
"""

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aligngemini.core import atomic, models
from aligngemini.core.copies import Copies

from . import aspect, decode, header, jpeg
from .failures import attempt, halved, reason
from .feed import Feed, Item
from .image_files import origin
from .params import DataParams

REMARK_REAL = "The fine texture looks like the grain of a camera."
REMARK_FAKE = "The fine texture looks smooth like a decoder."
UNCHANGED = "its reconstruction is the same picture"
SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}  # of what jpeg.like writes; PNG for all other formats


@dataclass(frozen=True)
class Plan:
    """What is done to one photograph: the window of it, where both members lie, whether the original stays."""

    row: dict
    window: tuple[int, int, int, int]
    original: Path
    fake: Path
    stays: bool

    @property
    def size(self) -> tuple[int, int]:
        left, top, right, bottom = self.window
        return bottom - top, right - left

    def failure(self, why: str) -> dict:
        return {"path": self.row["path"], "reason": why}


def pairs(
    rows: pd.DataFrame, autoencoder, folder: Path, cfg: DataParams, label: str = "pairs", form: str = "original"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reconstruct photographs (rows with path, image_id): rows of all pairs, and (path, reason) of failures.

    Each pair shares format, quantisation tables, chroma subsampling, size and pair_id. A photograph whose
    longer side exceeds `cfg.max_side` is cut to its centre on the JPEG grid; then, and wherever the original's
    container cannot be written again (see jpeg.reproducible), the original is re-encoded too. Batches whose files
    are already there are not made again. form "png": both members are stored lossless, as DDA does, the reconstruction
    without the original's compression; `jpeg_quality` remains the original's. Of these, `cfg.reconstruction` dda cuts
    the sides around the centre to whole latent cells, instead of padding them for the autoencoder and cutting them back
    (ours). Pairs that stand beside whole photographs are of the form "original".
    """
    cell = autoencoder.factor if form == "png" and cfg.reconstruction == "dda" else 1
    plan = partial(_plan, folder=folder, max_side=cfg.max_side, form=form, cell=cell)
    with ThreadPoolExecutor(cfg.workers) as pool:
        records = rows.to_dict("records")
        plans = list(pool.map(partial(attempt, plan), records))
        failed = [
            {"path": row["path"], "reason": reason("it cannot be read", error)}
            for row, error in zip(records, plans, strict=True)
            if isinstance(error, Exception)
        ]
        plans = [plan for plan in plans if isinstance(plan, Plan)]
        failed += _reconstruct(plans, autoencoder, pool, cfg.workers, label)
        lost = {item["path"] for item in failed}
        both = pool.map(partial(_rows, generator=autoencoder.name), [p for p in plans if p.row["path"] not in lost])
        distinct, alike = _distinct(list(both))
    return pd.DataFrame(distinct), pd.DataFrame(failed + alike, columns=["path", "reason"])


def run_pairs(
    run, cfg: DataParams, photographs: pd.DataFrame, which: str, name: str, revision: str = "", form: str = "original"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`pairs` of a data run by the autoencoder called `name` (folder or hub name), under images/<which>.

    What it was goes to autoencoder_<which>.json.
    """
    from . import autoencoder

    options = {"sample": cfg.vae_latent == "sampled", "seed": cfg.seed, "dtype": cfg.vae_dtype}
    model = autoencoder.load(name, revision, **options, truncate=cfg.reconstruction == "dda")
    used = {"name": name, "revision": models.commit(name, revision), "dtype": model.number}
    run.save(f"autoencoder_{which}.json", used)
    return pairs(photographs, model, run.path("images", which), cfg, f"{which} reconstructions", form)


def _plan(row: dict, folder: Path, max_side: int, form: str, cell: int) -> Plan:
    data = header.contents(row["path"])
    with header.opened(data) as image:
        turned, container = header.orientation(image), header.named_format(image)
        width, height = header.upright_size(image)
    left, top, right, bottom = window = _in_cells(grid_window(width, height, max_side, turned), cell)
    if why := aspect.reason(right - left, bottom - top):  # both branches may train on this set
        raise decode.Unreadable(why)
    stays = form == "original" and window == (0, 0, width, height) and jpeg.reproducible(data)
    suffix = SUFFIX.get(container, SUFFIX["PNG"]) if form == "original" else SUFFIX["PNG"]
    name = Path(row["path"]).stem if stays and Path(row["path"]).parent == folder else row["image_id"][:16]
    original = Path(row["path"]) if stays else folder / f"{name}_original{suffix}"
    return Plan(row, window, original, folder / f"{name}_reconstruction{suffix}", stays)


def grid_window(width: int, height: int, max_side: int, orientation: int = 1) -> tuple[int, int, int, int]:
    """The centre window (left, top, right, bottom) of an upright image, cut on the file's own JPEG grid.

    Sides up to `max_side` stay whole, unless the file is rotated: its grid then starts at the far edge of
    mirrored axes, and only whole coding units are kept.
    """
    left, right = _span(width, max_side, orientation in (2, 3, 6, 7), orientation != 1)
    top, bottom = _span(height, max_side, orientation in (3, 4, 7, 8), orientation != 1)
    return left, top, right, bottom


def _span(length: int, longest: int, mirrored: bool, whole_units: bool) -> tuple[int, int]:
    units = length // jpeg.GRID
    if units == 0 or (length <= longest and not whole_units):
        return 0, length
    count = min(units, longest // jpeg.GRID)
    start = (length % jpeg.GRID if mirrored else 0) + (units - count) // 2 * jpeg.GRID
    return start, start + count * jpeg.GRID


def _in_cells(window: tuple[int, int, int, int], cell: int) -> tuple[int, int, int, int]:
    """The centre of a window with sides of whole cells; a side below one cell stays."""
    left, top, right, bottom = window
    width, height = (side // cell * cell or side for side in (right - left, bottom - top))
    left, top = left + (right - left - width) // 2, top + (bottom - top - height) // 2
    return left, top, left + width, top + height


def _batches(plans: list[Plan], autoencoder) -> Iterator[list[Plan]]:
    """Plans of one size in whole latent cells together, as many as fit, so that an autoencoder pads them alike.

    The grouping never depends on what is already done.
    """
    by_size: dict[tuple[int, int], list[Plan]] = {}
    for plan in plans:
        by_size.setdefault(tuple(side + -side % autoencoder.factor for side in plan.size), []).append(plan)
    for size, alike in sorted(by_size.items(), key=lambda item: item[0]):
        step = autoencoder.batch(*size)
        yield from (alike[i : i + step] for i in range(0, len(alike), step))


def _reconstruct(plans: list[Plan], autoencoder, pool: ThreadPoolExecutor, workers: int, label: str) -> list[dict]:
    """Write both members of every pair that is not there yet; (path, reason) of those that have none.

    While the autoencoder works on one batch, the files of the one before are written and of the next one read. On
    several GPUs it works on as many batches at once.
    """
    todo = [b for b in _batches(plans, autoencoder) if not all(p.fake.exists() and p.original.exists() for p in b)]
    batches = [[Item(plan.fake, plan) for plan in batch] for batch in todo]
    failed, saving = [], []
    with Copies(len(batches)) as copies:
        through = partial(copies.in_order, partial(copies.use, autoencoder, _remade))
        for good, bad in Feed(batches, lambda _, image: image, label if batches else "", _load, workers, through):
            failed += _failures(saving)
            saving = [(one[0], pool.submit(_save, *one)) for one in good]
            failed += [plan.failure(reason("it cannot be read", error)) for plan, error in bad]
    return failed + _failures(saving)


def _load(plan: Plan) -> tuple[bytes, np.ndarray]:
    data = header.contents(plan.row["path"])
    return data, decode.read(data, plan.window).rgb


def _remade(autoencoder, batch: list[tuple[Item, Any]]) -> tuple[list[tuple], list[tuple]]:
    """What `_save` needs of each image of a batch, and plans with the error of those that cannot be read."""
    from .autoencoder import fitted

    bad = [(item.source, error) for item, error in batch if isinstance(error, Exception)]
    good = [(item.source, *image) for item, image in batch if not isinstance(image, Exception)]
    if not good:
        return [], bad
    whole = [fitted(rgb, autoencoder.factor) for *_, rgb in good]  # images of one batch differ in less than a cell
    again = halved(lambda some: autoencoder.roundtrip(np.stack(some)), whole)
    return [(*one, made[: one[2].shape[0], : one[2].shape[1]]) for one, made in zip(good, again, strict=True)], bad


def _save(plan: Plan, data: bytes, rgb: np.ndarray, again: np.ndarray) -> str:
    """Write what has to be written; return "" or the reason why there is no pair."""
    if np.array_equal(rgb, again):
        return UNCHANGED
    encode = jpeg.png if plan.fake.suffix == SUFFIX["PNG"] else partial(jpeg.like, data)
    if not plan.stays:
        atomic.write(plan.original, encode(rgb))
    atomic.write(plan.fake, encode(again))
    return ""


def _failures(saving: list[tuple[Plan, Future]]) -> list[dict]:
    return [plan.failure(job.result()) for plan, job in saving if job.result()]


def _rows(plan: Plan, generator: str) -> list[dict]:
    pair = plan.row | {"pair_id": plan.row.get("pair_id") or origin(plan.row["image_id"])}
    real = {"path": str(plan.original), "label": 0, "axis": "none", "generator": "", "remark": REMARK_REAL}
    fake = {"path": str(plan.fake), "label": 1, "axis": "pixel", "generator": generator, "remark": REMARK_FAKE}
    both = [pair | member | decode.identify(member["path"]) for member in (real, fake)]
    if plan.fake.suffix == SUFFIX["PNG"]:  # what is known of pixels that were once compressed
        both = [row | {"jpeg_quality": plan.row.get("jpeg_quality", math.nan)} for row in both]
    return both


def _distinct(pairs: list[list[dict]]) -> tuple[list[dict], list[dict]]:
    """Rows of pairs whose files are like no other's, and (path, reason) of the rest.

    Files that differed in metadata alone become one when written anew; an empty picture survives any
    autoencoder.
    """
    rows, alike, seen = [], [], set()
    for real, fake in pairs:
        names = {real["image_id"], fake["image_id"]}
        if len(names) == 1:
            alike.append({"path": real["path"], "reason": UNCHANGED})
        elif names & seen:
            alike.append({"path": real["path"], "reason": "same picture as another photograph"})
        else:
            rows += [real, fake]
        seen |= names
    return rows, alike
