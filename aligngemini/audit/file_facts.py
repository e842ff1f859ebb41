"""The facts of a file: its bytes are read and its pixels decoded once, for all that the audit needs of them."""

import re
from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
from PIL import ExifTags

from aligngemini.images import decode, header, protocols
from aligngemini.images.failures import attempt, reason
from aligngemini.images.loaders import scan_cache

from . import perceptual_hash, pixel_statistics

PLAIN = {"thumbnails": b"", "constant": False, "camera": False, "c2pa": False, "texts": "", "reason": ""}
NOTHING = PLAIN | {"statistics": b""}
CAMERA = {ExifTags.Base.Make, ExifTags.Base.Model}
EXPOSURE = {ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.LensModel}  # in the inner block
JUMBF = re.compile(rb"jumb.{4}jumd", re.DOTALL)  # a JUMBF box and the description that comes first in it
TEXT = re.compile(rb"(?:tE|zT|iT)Xt([ -~\xa1-\xff]{1,79})\0")  # a PNG's chunk of text, up to the end of its name


def read(path: str, statistics: bool = False) -> dict:
    """The facts of a file, those of NOTHING, with the reason why it does not decode, "" if it does.

    Thumbnails are those of perceptual_hash, constant is in the published sense, c2pa tells of a JUMBF box, in which
    content credentials come, texts are the names of a PNG's texts, one to a line (their values are never read).
    statistics, on request, are those of pixel_statistics as bytes of float32 [101], b"" where they fail.
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
    return NOTHING | metadata(data) | facts


def metadata(data: bytes) -> dict:
    """What a file carries besides its image: camera (bool), c2pa (bool), texts. Raises Unreadable."""
    with header.opened(data) as image:
        exif = header.exif(image)
        inner = attempt(exif.get_ifd, ExifTags.IFD.Exif)
    camera = CAMERA & exif.keys() or isinstance(inner, dict) and EXPOSURE & inner.keys()
    names = {name.decode("latin-1") for name in TEXT.findall(data)} if data.startswith(b"\x89PNG") else ()
    return {"camera": bool(camera), "c2pa": JUMBF.search(data) is not None, "texts": "\n".join(sorted(names))}


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
