"""One look at every file: its bytes are read and its pixels decoded once, for all that the audit asks of them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..images import decode, header, protocols, statistics
from ..images.failures import attempt, reason
from ..images.places import memory
from . import likeness, traces

SEEN = ["looks", "constant", "camera", "c2pa", "texts", "reason"]


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


CODE = (decode, *decode.CODE, likeness, protocols, traces)
PLAIN = memory.Reading(plain, SEEN, CODE)
PROBED = memory.Reading(probed, [*SEEN, "statistics"], (*CODE, statistics))


def _seen(path: str) -> tuple[dict, np.ndarray | None]:
    seen = attempt(_looked, path)
    if isinstance(seen, Exception):
        nothing = {"looks": b"", "constant": False, "camera": False, "c2pa": False, "texts": ""}
        return nothing | {"reason": reason("it cannot be looked at", seen)}, None
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
    usable, chosen = rows[rows["reason"] == ""], set(chosen)
    parts = [
        memory.facts(root, files, label, workers, reading)
        for root, same in usable.groupby("root", sort=False)["path"]
        for reading, files, label in (
            (PLAIN, set(same) - chosen, "looking at pictures"),
            (PROBED, set(same) & chosen, "looking closely at some"),
        )
        if files
    ]
    found = pd.concat([pd.DataFrame(columns=[*SEEN, "statistics"]), *parts])
    found = found[~found.index.duplicated()].reindex(rows["path"]).set_index(rows.index)
    blank = (
        dict.fromkeys(SEEN, "")
        | dict.fromkeys(("constant", "camera", "c2pa"), False)
        | dict.fromkeys(("looks", "statistics"), b"")
    )
    found = pd.DataFrame({name: found[name].where(found[name].notna(), blank[name]) for name in blank})
    found["reason"] = rows["reason"].where(rows["reason"] != "", found["reason"])
    return pd.concat(
        [rows.drop(columns="reason"), found.astype(dict.fromkeys(("constant", "camera", "c2pa"), bool))], axis=1
    )
