"""Make pictures in parallel: photographs of the small world, and degraded pictures for the semantic set.

The same bytes come out whatever the number of workers: each picture draws from generators named after it.
"""

import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from aligngemini.core import atomic, processes, seeds
from aligngemini.core.progress import progress

from . import decode, degrade, jpeg

CHUNK = 25  # pictures per task: large enough to hide the cost of handing it over


def spread(make: Callable[..., list[dict]], items: Sequence, workers: int, label: str, **fixed) -> list[dict]:
    """Rows of `make(chunk of items, **fixed)` over `workers` processes, in the order of the items."""
    from joblib import Parallel, delayed

    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    count, told = min(workers, max(1, len(chunks))), {}
    if count > 1:
        told = {"initializer": processes.end_with, "initargs": (os.getpid(),)}
    jobs = Parallel(n_jobs=count, return_as="generator", **told)(delayed(make)(chunk, **fixed) for chunk in chunks)
    return list(progress(chain.from_iterable(jobs), label, total=len(items)))


def photograph(seed: int, split: str, index: int, violated: bool, size: int, limits=None):
    """One scene within `limits` (world.world.Limits, None: any) and its photograph: (world.world.Picture, JPEG bytes).

    Twins share camera and grain.
    """
    from aligngemini.world import camera, world

    picture = world.draw(seed, split, index, violated, size, limits or world.ANYTHING)
    rgb, quality = camera.photograph(picture.rgb, seeds.generator("camera", seed, split, index))
    return picture, jpeg.encode(rgb, quality)


def from_world(
    items: Sequence[tuple[int, bool]],
    folder: str,
    seed: int,
    split: str,
    which: str,
    size: int,
    ranges: dict | None,
    limits=None,
) -> list[dict]:
    """Write photographs of scenes (index, violated) of "<split>/<which>" within `limits` as JPEG, or degraded
    as PNG if `ranges` are given.
    """
    return [_world_row(Path(folder), seed, split, which, *item, size, ranges, limits) for item in items]


def _world_row(
    folder: Path, seed: int, split: str, which: str, index: int, violated: bool, size: int, ranges, limits
) -> dict:
    pair = f"{split}/{which}/{index}"
    picture, data = photograph(seed, f"{split}/{which}", index, violated, size, limits)
    drawn, suffix = {}, "jpg"
    if ranges is not None:
        values = degrade.draw(ranges, degrade.generator(seed, pair))
        data, drawn, suffix = (
            jpeg.png(degrade.degrade(decode.read(data).rgb, values)),
            values.columns(),
            "png",
        )
    name = f"{split}_{index:06d}_{'implausible' if violated else 'plausible'}.{suffix}"
    path = atomic.write(folder / name, data)
    origin = {"source": "world", "generator": "world" if violated else "", "benchmark": "world"}
    label = {
        "label": int(violated),
        "axis": "semantic" if violated else "none",
        "split": split,
        "subset": which,
    }
    told = {"family": picture.family, "kind": picture.kind, "remark": picture.remark}
    return decode.identify(path) | {"path": str(path), "pair_id": pair} | origin | label | told | drawn


def laundered(rows: Sequence[dict], folder: str, seed: int, ranges: dict) -> list[dict]:
    """Degrade pictures (path, pair_id) and write them as PNG: path, content and drawn values of each.

    All pictures of a pair_id share one draw, so that laundering itself tells no two of them apart.
    """
    return [_laundered_row(Path(folder), row, seed, ranges) for row in rows]


def _laundered_row(folder: Path, row: dict, seed: int, ranges: dict) -> dict:
    values = degrade.draw(ranges, degrade.generator(seed, f"laundered/{row['pair_id']}"))
    data = jpeg.png(degrade.degrade(decode.read(row["path"]).rgb, values))
    path = atomic.write(folder / f"{Path(row['path']).stem}.png", data)
    return {"path": str(path)} | values.columns() | decode.identify(path)


def from_files(rows: Sequence[dict], folder: str, seed: int, split: str, size: int, ranges: dict | None) -> list[dict]:
    """Crop files to a square and resize them; a row that fails comes back with its reason.

    They are degraded by `ranges` and written as PNG, or undegraded as JPEG of a camera's quality if `ranges` is None.
    """
    return [_file_row(Path(folder), row, seed, split, size, ranges) for row in rows]


def _file_row(folder: Path, row: dict, seed: int, split: str, size: int, ranges: dict | None) -> dict:
    try:
        rgb = squared(row["path"], row["width"], row["height"], size)
    except decode.Unreadable as error:
        return row | {"reason": str(error)}
    data, columns, suffix = _encoded(rgb, seed, row["image_id"], ranges)
    side = "implausible" if row["label"] else "plausible"
    path = atomic.write(folder / f"{split}_{row['image_id'][:16]}_{side}.{suffix}", data)
    facts = {
        "pair_id": origin(row["image_id"]),
        "axis": "semantic" if row["label"] else "none",
        "split": split,
    }
    own = {"path": str(path), "subset": "semantic", "generator": row["generator"] if row["label"] else ""}
    return row | facts | own | columns | decode.identify(path)


def _encoded(rgb: np.ndarray, seed: int, image_id: str, ranges: dict | None) -> tuple[bytes, dict[str, float], str]:
    """The file of a square, the drawn values that the table keeps, and the suffix."""
    from aligngemini.world import camera

    if ranges is None:
        settings = camera.settings(seeds.generator("camera", seed, image_id))
        return jpeg.encode(rgb, round(settings["quality"])), {}, "jpg"
    values = degrade.draw(ranges, degrade.generator(seed, image_id))
    return jpeg.png(degrade.degrade(rgb, values)), values.columns(), "png"


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
