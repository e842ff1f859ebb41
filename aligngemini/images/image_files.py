"""Write images of the sets as files: squares of photographs, degraded copies, and many of them in worker processes.

The same bytes come out whatever the number of workers: each image samples from generators named after it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from aligngemini.core import atomic, processes, seeds
from aligngemini.core.progress import progress
from aligngemini.world import camera

from . import decode, degrade, jpeg
from .params import DataParams

BATCH = 25  # images per task: large enough to hide the cost of handing it over


def in_parallel(make: Callable[..., dict], items: Sequence, workers: int, label: str, **fixed) -> list[dict]:
    """`make(item, **fixed)` of every item, computed in `workers` processes, in the order of the items."""
    results = processes.made(partial(make, **fixed), items, workers, BATCH)
    return list(progress(results, label, total=len(items)))


def save(path: Path, data: bytes) -> dict:
    """Write a file: its path, and decode.identify's facts."""
    return {"path": str(atomic.write(path, data))} | decode.identify(data)


def save_degraded(path: Path, rgb: np.ndarray, cfg: DataParams, key: str) -> dict:
    """Degrade uint8 [H, W, 3] and write it as PNG: `save`'s facts and the values, sampled for `cfg.seed` and `key`."""
    values = degrade.draw(degrade.ranges(cfg), degrade.generator(cfg.seed, key))
    return values.columns() | save(path, jpeg.png(degrade.degrade(rgb, values)))


def degraded_copy(row: dict, folder: str, cfg: DataParams) -> dict:
    """Degrade the image of a row (path, pair_id) and write it as PNG: what replaces the facts of the row.

    All images of a pair_id share one sample, so that the degradation itself tells no two of them apart.
    """
    path, key = Path(folder) / f"{Path(row['path']).stem}.png", f"laundered/{row['pair_id']}"
    return save_degraded(path, decode.read(row["path"]).rgb, cfg, key)  # the key's old word keeps the pixels


def square_of_file(row: dict, folder: str, cfg: DataParams, split: str, degraded: bool) -> dict:
    """Crop the file of a row to a square and resize it; the new row, or the old one with its reason.

    It is `degraded` and written as PNG, or else as JPEG of a camera's quality.
    """
    try:
        rgb = squared(row["path"], row["width"], row["height"], cfg.image_size)
    except decode.Unreadable as error:
        return row | {"reason": str(error)}
    image_id, side = row["image_id"], "implausible" if row["label"] else "plausible"
    path = Path(folder) / f"{split}_{image_id[:16]}_{side}.{'png' if degraded else 'jpg'}"
    if degraded:
        saved = save_degraded(path, rgb, cfg, image_id)
    else:
        quality = camera.settings(seeds.generator("camera", cfg.seed, image_id))["quality"]
        saved = save(path, jpeg.encode(rgb, round(quality)))
    axis, generator = ("semantic", row["generator"]) if row["label"] else ("none", "")
    facts = {"pair_id": origin(image_id), "axis": axis, "split": split, "subset": "semantic", "generator": generator}
    return row | facts | saved


def origin(image_id: str) -> str:
    """The pair_id of all that is made from one file: it betrays a photograph that stands in two splits."""
    return f"file/{image_id[:16]}"


def squared(path: str, width: int, height: int, size: int) -> np.ndarray:
    """The centre square of a width x height image, resized to size x size; Unreadable if it is smaller."""
    side = min(width, height)
    if side < size:
        raise decode.Unreadable(f"smaller than {size} px")
    left, top = (width - side) // 2, (height - side) // 2
    square = decode.read(path, (left, top, left + side, top + side)).rgb
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))
