"""One look at every file: its bytes are read and its pixels decoded once, for all that the audit asks of them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..images import decode, header, protocols, statistics
from ..images.failures import attempt, reason
from ..images.places import memory
from . import likeness, traces

NOTHING = {"looks": b"", "constant": False, "camera": False, "c2pa": False, "texts": "", "reason": ""}
SEEN = list(NOTHING)


def plain(path: str) -> dict:
    """What one file shows: looks (those of likeness.py, b"" for a file that does not decode), constant (in the
    published sense), the traces camera, c2pa and texts, and reason ("", or why it does not decode).
    """
    return _seen(path)[0]


def probed(path: str) -> dict:
    """`plain`, and statistics: those of images/statistics.py as bytes of float32 [101]."""
    row, rgb = _seen(path)
    told = attempt(statistics.describe, rgb)
    failed = rgb is None or isinstance(told, Exception)  # the probe passes over what has none
    return row | {"statistics": b"" if failed else told.astype(np.float32).tobytes()}


CODE = (
    "aligngemini.images.decode",
    "aligngemini.images.protocols",
    "aligngemini.hygiene.likeness",
    "aligngemini.hygiene.traces",
)
PLAIN = memory.Reading(plain, SEEN, CODE)
PROBED = memory.Reading(probed, [*SEEN, "statistics"], (*CODE, "aligngemini.images.statistics"))


def _seen(path: str) -> tuple[dict, np.ndarray | None]:
    seen = attempt(_looked, path)
    if isinstance(seen, Exception):
        return NOTHING | {"reason": reason("it cannot be looked at", seen)}, None
    return seen


def _looked(path: str) -> tuple[dict, np.ndarray]:
    data = header.contents(path)
    rgb = decode.read(data).rgb
    seen = {"looks": likeness.looks(rgb), "constant": protocols.constant(rgb), "reason": ""}
    return traces.of(data) | seen, rgb


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
