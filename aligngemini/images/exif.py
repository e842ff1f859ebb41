"""The few EXIF fields that matter here, read leniently: a broken field says nothing about the fields beside it."""

import re
import struct
from contextlib import suppress

ORIENTATION = 0x0112
INNER = 0x8769  # points to the block of exposure fields
NUMBERS = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i"}  # of a ratio: what stands above the line
PREFIX = re.compile(rb"(?:Exif\0\0)*")


def fields(block: bytes, at: int | None = None) -> dict[int, int | None]:
    """The tags of one directory of an EXIF block or TIFF file, each with its first value, None if it is no number.

    `at` is where the directory begins, by default the first one. What is cut short gives the tags before the cut.
    """
    block = block[PREFIX.match(block).end() :]
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    found: dict[int, int | None] = {}
    if not order or block[2:4] not in (b"*\0", b"\0*"):
        return found
    with suppress(struct.error):
        at = struct.unpack_from(order + "I", block, 4)[0] if at is None else at
        for entry in range(struct.unpack_from(order + "H", block, at)[0]):
            tag, kind, count = struct.unpack_from(order + "HHI", block, at + 2 + 12 * entry)
            found.setdefault(tag, _first(block, order, kind, count, at + 10 + 12 * entry))
    return found


def _first(block: bytes, order: str, kind: int, count: int, at: int) -> int | None:
    """The first number of a field whose value, or the place of it, stands at `at`."""
    form = NUMBERS.get(kind)
    if not form or not count:
        return None
    wide = 2 if kind in (5, 10) else 1
    with suppress(struct.error):
        if struct.calcsize(form) * wide * count > 4:
            at = struct.unpack_from(order + "I", block, at)[0]
        first, *below = struct.unpack_from(order + form * wide, block, at)
        return first if not below or below[0] in (0, 1) else first // below[0]
    return None


def orientation(block: bytes) -> int:
    """The orientation 1..8 of an EXIF block; 1 where there is none or it makes no sense."""
    value = fields(block).get(ORIENTATION)
    return value if value in range(1, 9) else 1
