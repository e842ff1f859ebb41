"""Files written byte by byte: what Pillow cannot write, or not so oddly."""

import struct
import zlib

import numpy as np


def chunk(kind: bytes, body: bytes, wrong: bool = False) -> bytes:
    """A PNG chunk; `wrong` spoils its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ wrong)


def png(pixels: np.ndarray, depth: int, colour: int, extra: bytes = b"", tail: bytes = b"", wrong=False) -> bytes:
    """PNG of [H, W] or [H, W, C] at a bit depth and colour type; `extra` stands before the pixels, `tail` behind."""
    high, wide = pixels.shape[:2]
    rows = pixels.astype(">u2") if depth == 16 else pixels
    if depth < 8:
        rows = np.packbits(np.unpackbits(pixels.astype(np.uint8)[..., None], axis=2)[..., -depth:].reshape(high, -1), 1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", wide, high, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), extra, chunk(b"IDAT", packed, wrong), tail, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def directory(entries, start: int = 8) -> bytes:
    """A little-endian TIFF or EXIF block of (tag, type, count, value bytes)."""
    body, far, at = b"", b"", start + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        body += struct.pack("<HHI", tag, kind, count)
        body += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", at + len(far))
        far += value if len(value) > 4 else b""
    return struct.pack("<HI", 42, start).join([b"II", struct.pack("<H", len(entries))]) + body + bytes(4) + far


def short(tag: int, *values: int) -> tuple[int, int, int, bytes]:
    return tag, 3, len(values), struct.pack(f"<{len(values)}H", *values)


def tiff(pixels: np.ndarray, bits: int, photometric: int, *more, planes: bool = False, stored: bytes = b"") -> bytes:
    """Uncompressed TIFF of [H, W] or [H, W, C]; `planes` stores each channel apart, `more` are further entries,
    `stored` is packed in a way of its own.
    """
    high, wide = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    data = stored or np.ascontiguousarray(np.moveaxis(pixels, 2, 0) if planes else pixels).tobytes()
    strips = channels if planes else 1
    entries = [short(256, wide), short(257, high), short(258, *[bits] * channels), short(259, 1)]
    entries += [short(262, photometric), short(277, channels), short(278, high), short(284, 1 + planes), *more]
    size = len(data) // strips
    entries.append((279, 4, strips, struct.pack(f"<{strips}I", *[size] * strips)))
    whole = directory([*entries, (273, 4, strips, bytes(4 * strips))])
    places = struct.pack(f"<{strips}I", *[len(whole) + size * i for i in range(strips)])
    return directory([*entries, (273, 4, strips, places)]) + data


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def within(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments right behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]
