"""The facts of a file: its bytes are read and its pixels decoded once, for all that the audit needs of them."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from aligngemini.images import decode, header, protocols
from aligngemini.images.failures import attempt, reason
from aligngemini.images.loaders import scan_cache

from . import metadata, perceptual_hash, pixel_statistics

PLAIN = {"thumbnails": b"", "constant": False, "camera": False, "c2pa": False, "texts": "", "reason": ""}
NOTHING = PLAIN | {"statistics": b""}


def read(path: str, statistics: bool = False) -> dict:
    """Thumbnails (those of perceptual_hash, b"" for a file that does not decode), constant (in the published sense),
    those of metadata.read, and reason ("", or why it does not decode); on request statistics: those of
    pixel_statistics as bytes of float32 [101], b"" where they fail.
    """
    facts = attempt(_read, path, statistics)
    return NOTHING | {"reason": reason("it cannot be looked at", facts)} if isinstance(facts, Exception) else facts


def _read(path: str, statistics: bool) -> dict:
    data = header.contents(path)
    rgb = decode.read(data).rgb
    facts = {"thumbnails": perceptual_hash.thumbnails(rgb), "constant": protocols.constant(rgb)}
    values = attempt(pixel_statistics.describe, rgb) if statistics else None
    if isinstance(values, np.ndarray):  # the probe passes over images without
        facts["statistics"] = values.astype(np.float32).tobytes()
    return NOTHING | metadata.read(data) | facts


def add(rows: pd.DataFrame, probed: Iterable[str] = (), workers: int = 2) -> pd.DataFrame:
    """`rows` (path, root, reason) with the facts of their files; statistics for the paths in `probed`, b"" for others.

    Files of rows with a reason are not read. Facts of files that have not changed are remembered.
    """
    plain = scan_cache.Reading(read, list(PLAIN), (__name__,))
    full = scan_cache.Reading(partial(read, statistics=True), list(NOTHING), (__name__, pixel_statistics.__name__))
    probed = set(probed)
    others = set(rows["path"]) - probed
    readings = [(plain, others, "looking at pictures"), (full, probed, "looking closely at some")]
    return scan_cache.added(rows, readings, NOTHING, workers)
