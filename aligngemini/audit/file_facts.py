"""One look at every file: its bytes are read and its pixels decoded once, for all that the audit asks of them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..images import decode, header, protocols
from ..images.failures import attempt, reason
from ..images.places import memory
from . import metadata, perceptual_hash, pixel_statistics

NOTHING = {"looks": b"", "constant": False, "camera": False, "c2pa": False, "texts": "", "reason": ""}
SEEN = list(NOTHING)


def plain(path: str) -> dict:
    """What one file shows: looks (those of perceptual_hash.py, b"" for a file that does not decode), constant (in the
    published sense), the traces camera, c2pa and texts, and reason ("", or why it does not decode).
    """
    return _seen(path)[0]


def probed(path: str) -> dict:
    """`plain`, and statistics: those of pixel_statistics.py as bytes of float32 [101]."""
    row, rgb = _seen(path)
    told = attempt(pixel_statistics.describe, rgb)
    failed = rgb is None or isinstance(told, Exception)  # the probe passes over what has none
    return row | {"statistics": b"" if failed else told.astype(np.float32).tobytes()}


CODE = (
    "aligngemini.images.decode",
    "aligngemini.images.protocols",
    "aligngemini.audit.perceptual_hash",
    "aligngemini.audit.metadata",
)
PLAIN = memory.Reading(plain, SEEN, CODE)
PROBED = memory.Reading(probed, [*SEEN, "statistics"], (*CODE, "aligngemini.audit.pixel_statistics"))


def _seen(path: str) -> tuple[dict, np.ndarray | None]:
    seen = attempt(_looked, path)
    if isinstance(seen, Exception):
        return NOTHING | {"reason": reason("it cannot be looked at", seen)}, None
    return seen


def _looked(path: str) -> tuple[dict, np.ndarray]:
    data = header.contents(path)
    rgb = decode.read(data).rgb
    seen = {"looks": perceptual_hash.looks(rgb), "constant": protocols.constant(rgb), "reason": ""}
    return metadata.of(data) | seen, rgb


def added(rows: pd.DataFrame, chosen: Iterable[str] = (), workers: int = 2) -> pd.DataFrame:
    """`rows` (path, root, reason) with what a look shows; statistics for the paths in `chosen`, b"" for others.

    Rows with a reason are not looked at. What is remembered of unchanged files is not read again.
    """
    chosen = set(chosen)
    readings = [
        (PLAIN, set(rows["path"]) - chosen, "looking at pictures"),
        (PROBED, chosen, "looking closely at some"),
    ]
    return memory.added(rows, readings, NOTHING | {"statistics": b""}, workers)
