"""What a file carries besides its picture: camera fields, content credentials, and the names of texts."""

import re
from collections.abc import Iterator

from ..images import exif, segments
from ..images.header import opened

CAMERA = (0x010F, 0x0110)  # EXIF: make and model
EXPOSURE = (0x829A, 0x829D, 0xA434)  # EXIF, inner block: exposure time, aperture, lens
JUMBF = re.compile(rb"jumb.{4}jumd", re.DOTALL)  # a JUMBF box and the description that comes first in it
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST = 79  # bytes that PNG allows for the name of a text


def of(data: bytes) -> dict:
    """Traces in a file's bytes: camera (bool), c2pa (bool: a JUMBF box, as content credentials come in), and texts.

    texts are the names of a PNG's texts, sorted, one to a line; their values are never read. Raises Unreadable.
    """
    texts = "\n".join(sorted(set(_texts(data))))
    return {"camera": _camera(data), "c2pa": JUMBF.search(data) is not None, "texts": texts}


def _camera(data: bytes) -> bool:
    with opened(data) as image:
        block = data if image.format == "TIFF" else image.info.get("exif") or b""
    outer = exif.fields(block)
    inner = exif.fields(block, outer.get(exif.INNER))
    return any(tag in outer for tag in CAMERA) or any(tag in inner for tag in EXPOSURE)


def _texts(data: bytes) -> Iterator[str]:
    """Names of texts, from the chunks: Pillow finds those behind the pixels only by decoding them."""
    for kind, at, end in segments.chunks(data) if data.startswith(b"\x89PNG") else ():
        if kind in TEXTS:
            name = data[at + 8 : min(end - 4, at + 8 + LONGEST)].split(b"\0")[0].decode("latin-1")
            yield "".join(sign if sign.isprintable() else "?" for sign in name)
