"""The parts of a PNG or JPEG that decide its pixels. What a file carries besides can be large, damaged or hostile, and
says nothing about the picture: it never reaches the decoder.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from PIL import Image

from . import exif

RAW_PROFILE = "Raw profile type exif"  # EXIF as a text of hexadecimal digits
RAW_CHUNK = RAW_PROFILE.encode() + b"\0"
NUMBER_OF_IMAGES = 0xB001  # in the index of a JPEG with more pictures behind it
LONGEST_PROFILE = 2**18  # bytes of such a text
PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # x, y, steps
PIECE = 2**14  # packed bytes that are unpacked at once, to a thousand times as many at most
EXIF_ITEM = re.compile(rb"(infe[\2\3].{7}(?:..)?)Exif", re.DOTALL)
SOF = {0xC0 + i for i in range(16)} - {0xC4, 0xC8, 0xCC}  # JPEG markers that begin a frame
LOSSLESS, JPEG_LS = {0xC3, 0xC7, 0xCB, 0xCF}, 0xF7


class Parts(NamedTuple):
    """A file without what does not matter, its EXIF block (b"" for none), the number of its pictures, and why a
    decoder cannot read it ("" if it can).
    """

    data: bytes
    exif: bytes = b""
    frames: int = 1
    reason: str = ""


def png(data: bytes) -> Parts:
    """Keep the critical chunks and the transparency; an animation is its first picture."""
    kept, block, frames, shown, reason = [data[:8]], b"", 0, False, ""
    for kind, at, end in chunks(data):
        if not kind[0] & 32 or kind == b"tRNS":  # a capital letter: critical
            reason = reason or _wrong(data, at, end)
            kept.append(_key(data, data[at + 8 : end - 4]) if kind == b"tRNS" else data[at:end])
            shown = shown or kind == b"IDAT"
            continue
        body = data[at + 8 : end - 4]
        if kind == b"eXIf":
            block = body
        elif kind in (b"tEXt", b"zTXt") and body.startswith(RAW_CHUNK):
            block = block or _raw_profile(kind, body[len(RAW_CHUNK) :])
        elif kind == b"acTL":
            frames = int.from_bytes(body[:4])
        elif kind == b"fcTL" and not shown:
            frames, shown = frames - 1, True  # the picture that every reader shows is one of the animation's
    return Parts(b"".join(kept), block, frames + 1 if 0 <= frames < 2**31 else 1, reason)


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each chunk; the last one may be cut short."""
    at = 8
    while at + 8 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _wrong(data: bytes, at: int, end: int) -> str:
    """Pillow does not look at the checksum of pixels."""
    if end > len(data) or zlib.crc32(memoryview(data)[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end]):
        return ""
    return f"cut short or damaged (wrong checksum in {data[at + 4 : at + 8].decode('latin-1')})"


def _key(data: bytes, body: bytes) -> bytes:
    """A tRNS chunk; a grey key of 2 or 4 bits becomes one of 8 bits, as Pillow compares it."""
    depth, colour = data[24:26]
    if colour == 0 and depth in (2, 4):
        body = struct.pack(">H", (int.from_bytes(body[:2]) & (2**depth - 1)) * (255 // (2**depth - 1)))
    return struct.pack(">I", len(body)) + b"tRNS" + body + struct.pack(">I", zlib.crc32(b"tRNS" + body))


def lacks_rows(image: Image.Image, data: bytes) -> bool:
    """Whether the pixels of a loaded PNG end before its last row, which Pillow then leaves black."""
    last = np.asarray(image.crop((0, image.height - 1, *image.size))).reshape(image.width, -1)[:, 0]
    wide, high, depth, colour, _, _, laced = struct.unpack_from(">IIBBBBB", data, 16)
    if last.any() and not laced:  # the usual case, in which nothing has to be unpacked again
        return False
    bits = depth * {2: 3, 4: 2, 6: 4}.get(colour, 1)
    sizes = [(-(-(wide - x) // dx), -(-(high - y) // dy)) for x, y, dx, dy in (PASSES if laced else [(0, 0, 1, 1)])]
    wanted = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)
    return all(held < wanted for held in accumulate(_unpacked(data)))


def _unpacked(data: bytes) -> Iterator[int]:
    """How many bytes of rows a PNG holds, a piece of its packed pixels after the other, up to where they break off."""
    unpacker = zlib.decompressobj()
    with suppress(zlib.error):
        for kind, at, end in chunks(data):
            places = range(at + 8, end - 4, PIECE) if kind == b"IDAT" else ()
            yield from (len(unpacker.decompress(data[place : min(place + PIECE, end - 4)])) for place in places)


def has_wide_key(image: Image.Image) -> bool:
    """Whether a colour key is about 16-bit colours, of which Pillow keeps the upper bytes alone."""
    key = image.info.get("transparency")
    return image.mode == "RGB" and isinstance(key, tuple) and (max(key) > 255 or _args(image) == "RGB;16B")


def has_narrow_key(image: Image.Image) -> bool:
    """Whether the colour key of a loaded image may be one of 2 or 4 bits: Pillow has spread the greys, not the key."""
    key = image.info.get("transparency")
    return image.mode == "L" and isinstance(key, int) and 0 < key < 16 and not (np.asarray(image) % 17).any()


def _args(image: Image.Image):
    return image.tile[0].args if getattr(image, "tile", None) else None


def apply_wide_key(image: Image.Image, data: bytes) -> None:
    """Turn such a key into an alpha channel, from the upper and the lower bytes."""
    low = type(image)(io.BytesIO(data), "")
    low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
    exact = np.asarray(image).astype(np.uint16) << 8 | np.asarray(low)
    clear = (exact == image.info.pop("transparency")).all(2)
    image.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))


def _raw_profile(kind: bytes, text: bytes) -> bytes:
    with suppress(zlib.error):
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], LONGEST_PROFILE)
        return from_digits(text.decode("latin-1"))
    return b""


def from_digits(text: str) -> bytes:
    """The EXIF block that a raw profile holds; b"" for one that makes no sense."""
    with suppress(ValueError):
        return bytes.fromhex("".join(text[:LONGEST_PROFILE].split("\n")[3:]))
    return b""


def jpeg(data: bytes) -> Parts:
    """Keep what comes before the first scan, application segments and comments apart, and everything after."""
    kept, block, frames, reason, at = [data[:2]], b"", 1, "", 2
    while (segment := _segment(data, at)) and segment[0] != 0xDA:
        marker, end = segment
        body = data[at + 4 : end]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            block = block if exif.fields(block) else body  # one block may be empty and the next one whole
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            frames = exif.fields(body[4:]).get(NUMBER_OF_IMAGES) or 1
        elif marker in SOF or marker == JPEG_LS:
            reason = _unusual(marker, body)
        if not _beside(marker, body):
            kept.append(data[at:end])
        at = end
    if frames > 1 and data.find(b"\xff\xd8\xff", at) < 0:
        frames = 1  # the pictures behind the first were taken away
    return Parts(b"".join([*kept, data[at:]]), block, frames, reason)


def _segment(data: bytes, at: int) -> tuple[int, int] | None:
    """Marker and end of the segment at `at`; None where there is no whole one."""
    if data[at : at + 1] != b"\xff" or at + 4 > len(data):
        return None
    if data[at + 1] in (0xFF, 0x01):  # a byte that fills, or a marker without a body
        return data[at + 1], at + (1 if data[at + 1] == 0xFF else 2)
    end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return (data[at + 1], end) if end <= len(data) else None


def _beside(marker: int, body: bytes) -> bool:
    """Whether a segment says nothing of the pixels; Adobe's and JFIF's tell which colours the numbers mean."""
    if marker == 0xE0 and body.startswith(b"JFIF\0") or marker == 0xEE and body.startswith(b"Adobe"):
        return len(body) < 12
    return 0xE0 <= marker <= 0xEF or marker in (0xFE, 0xFF)


def _unusual(marker: int, body: bytes) -> str:
    if marker == JPEG_LS:
        return "not an image in a format that can be read (JPEG-LS)"
    if marker in LOSSLESS:
        return "a lossless JPEG, which is not read here"
    return "" if body[:1] == b"\x08" else f"a JPEG of {body[0] if body else 0} bits a channel, which is not read here"


def jpeg2000(data: bytes) -> Parts:
    """The whole file; Pillow turns the whites of colours of more than 8 bits into black."""
    at = data.find(b"\xff\x4f\xff\x51") + 40  # the number of channels and their bits follow the sizes
    channels, bits = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 3]) % 128 + 1
    reason = f"a JPEG 2000 of {bits} bits a colour, which is not read here"
    return Parts(data, reason=reason if channels > 1 and bits > 8 else "")


def without_exif(data: bytes) -> bytes:
    """An AVIF whose EXIF readers pass over: a broken one would stop them, and its boxes tell how it is turned."""
    return EXIF_ITEM.sub(rb"\1free", data, count=1)


READERS = {"PNG": png, "JPEG": jpeg, "JPEG2000": jpeg2000}
