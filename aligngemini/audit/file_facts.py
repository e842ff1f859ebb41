"""The facts of a file: its bytes are read and its pixels decoded once, for all that the audit needs of them."""

import re

import pandas as pd
from PIL import ExifTags

from aligngemini.images import decode, header, protocols
from aligngemini.images.failures import attempt, reason
from aligngemini.images.loaders import scan_cache

from . import duplicates

NOTHING = {"thumbnails": b"", "constant": False, "camera": False, "c2pa": False, "texts": "", "reason": ""}
CAMERA = {ExifTags.Base.Make, ExifTags.Base.Model}
EXPOSURE = {ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.LensModel}  # in the inner block
JUMBF = re.compile(rb"jumb.{4}jumd", re.DOTALL)  # a JUMBF box and the description that comes first in it
TEXT = re.compile(rb"(?:tE|zT|iT)Xt([ -~\xa1-\xff]{1,79})\0")  # a PNG's chunk of text, up to the end of its name


def read(path: str) -> dict:
    """The facts of a file, those of NOTHING, with the reason why it does not decode, "" if it does.

    Thumbnails are those of `duplicates`; constant is in the published sense.
    """
    facts = attempt(_read, path)
    return NOTHING | ({"reason": reason("it cannot be looked at", facts)} if isinstance(facts, Exception) else facts)


def _read(path: str) -> dict:
    data = header.contents(path)
    rgb = decode.read(data).rgb
    return metadata(data) | {"thumbnails": duplicates.thumbnails(rgb), "constant": protocols.constant(rgb)}


def metadata(data: bytes) -> dict:
    """What a file carries besides its image. Raises Unreadable.

    camera (bool): fields of a camera; c2pa (bool): a JUMBF box, in which content credentials come; texts: the names of
    a PNG's texts, one to a line (their values are never read).
    """
    with header.opened(data) as image:
        exif = header.exif(image)
        inner = attempt(exif.get_ifd, ExifTags.IFD.Exif)
    camera = CAMERA & exif.keys() or isinstance(inner, dict) and EXPOSURE & inner.keys()
    names = {name.decode("latin-1") for name in TEXT.findall(data)} if data.startswith(b"\x89PNG") else ()
    return {"camera": bool(camera), "c2pa": JUMBF.search(data) is not None, "texts": "\n".join(sorted(names))}


def add(rows: pd.DataFrame, workers: int = 2) -> pd.DataFrame:
    """`rows` (path, root, reason) with the facts of their files, which are remembered while the files do not change.

    Files of rows with a reason are not read.
    """
    return scan_cache.added(rows, workers, "looking at pictures", scan_cache.Reading(read, NOTHING, (__name__,)))
