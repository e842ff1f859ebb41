"""What a file carries besides its image: camera fields, content credentials, and the names of texts."""

import re

from aligngemini.images import exif, segments
from aligngemini.images.header import opened

CAMERA = {0x010F, 0x0110}  # EXIF: make and model
EXPOSURE = {0x829A, 0x829D, 0xA434}  # EXIF, inner block: exposure time, aperture, lens
JUMBF = re.compile(rb"jumb.{4}jumd", re.DOTALL)  # a JUMBF box and the description that comes first in it
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST = 79  # bytes that PNG allows for the name of a text


def read(data: bytes) -> dict:
    """Metadata in a file's bytes: camera (bool), c2pa (bool: a JUMBF box, as content credentials come in), and texts.

    texts are the names of a PNG's texts, sorted, one to a line; their values are never read. Raises Unreadable.
    """
    return {"camera": _camera(data), "c2pa": JUMBF.search(data) is not None, "texts": "\n".join(_text_names(data))}


def _camera(data: bytes) -> bool:
    with opened(data) as image:
        block = data if image.format == "TIFF" else image.info.get("exif") or b""
    outer = exif.fields(block)
    return bool(CAMERA & outer.keys() or EXPOSURE & exif.fields(block, outer.get(exif.INNER)).keys())


def _text_names(data: bytes) -> list[str]:
    """Names of texts, from the chunks: Pillow finds those behind the pixels only by decoding them."""
    chunks = segments.chunks(data) if data.startswith(b"\x89PNG") else ()
    names = [data[at + 8 : min(end - 4, at + 8 + LONGEST)] for kind, at, end in chunks if kind in TEXTS]
    names = {name.split(b"\0")[0].decode("latin-1") for name in names}
    return sorted("".join(sign if sign.isprintable() else "?" for sign in name) for name in names)
