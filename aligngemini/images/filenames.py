"""File names as text: tables, CSV and JSON hold UTF-8, names on a disk are bytes that need not be."""

import os
import re
from pathlib import Path

AMBIGUOUS = re.compile(r"\\(?=x[0-9a-f]{2})")  # a backslash in a name that would read as an escaped byte
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def spelled(path: str | Path) -> str:
    r"""The path as text that every file format can hold, from which `true` gives the path back.

    Bytes that are no UTF-8 become \x and two digits; so does a backslash in a name that looks like one of these.
    """
    text = AMBIGUOUS.sub(r"\\x5c", os.fspath(path))
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """The text on one line: line ends, tabs and codes that steer a terminal are written as Python writes them."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def true(source: str | Path) -> str:
    r"""The path of the file that `source` names: a Path as it is, a text as `spelled` writes it.

    Where there is no such file, the other reading of \x and two digits is tried. Raises ValueError for a null byte.
    """
    text = os.fspath(source)
    if "\\x" not in text:
        return text
    bytewise = os.fsdecode(ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(text)))
    first, second = (text, bytewise) if isinstance(source, Path) else (bytewise, text)
    return first if os.path.lexists(first) else second
