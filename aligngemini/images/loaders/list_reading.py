"""Read a list of pictures as people write it: CSV with any usual separator and encoding, words on lines, JSON."""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aligngemini.core import reading
from aligngemini.core.params import Refused

from . import skips

MOST = 2**30  # bytes of a list: ten million pictures
SEPARATORS = ",;\t|"
EXTRA = "extra"  # what a line has beyond its header: not a name that a column can have
MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
NO_LISTS = {"": "an image", skips.NOT_UNPACKED: "an archive, a workbook or a Parquet table"}
SHAPE = 'write [{"path": ..., "label": ...}, ...], or one such object on each line'


def read(path: Path) -> list[dict[str, str]]:
    """The records of a list by column, names in lower case with _ for spaces; EXTRA holds surplus fields of a line.

    Bytes that are no UTF-8 become surrogates, as in file names. Raises Refused for what is no list, with the reason.
    """
    text = _text(path)
    found = _from_json(path, text) if text.lstrip()[:1] in ("[", "{") else _from_lines(path, text)
    if not found:
        raise Refused(f"{path} lists no picture: give each a line below the header, or give a folder.")
    return found


def _text(path: Path) -> str:
    data, encoding = _bytes(path)
    text = data.decode(encoding or "utf-8", "surrogateescape" if encoding in ("", "utf-8") else "replace")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise Refused(f"{path} is empty: list pictures there under the header path,label, or give a folder.")
    if "\0" in text:
        raise Refused(f"{path} has null bytes, which no text holds: save the list as CSV in UTF-8.")
    return text


def _bytes(path: Path) -> tuple[bytes, str]:
    """The bytes of a list, and the encoding that its first ones name or ""; what is no text is not read to the end."""
    with _words_for_errors(path):
        head, encoding = start(path)
        return reading.content(path, MOST) if encoding or b"\0" not in head else head, encoding


def start(path: Path) -> tuple[bytes, str]:
    """The first bytes of a list and their encoding; Refused for an image, an archive or what cannot be opened."""
    with _words_for_errors(path):
        head = reading.start(path, skips.HEAD)
    encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), "")
    kind = skips.of_content(head, ".csv")
    if kind in NO_LISTS and not encoding:
        raise Refused(f"{path} is {NO_LISTS[kind]}, not a list: save a list as CSV in UTF-8, or give a folder.")
    return head, encoding


@contextmanager
def _words_for_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{path} cannot be read as a list ({error.strerror}): give a CSV file, or a folder.") from error


def _from_lines(path: Path, text: str) -> list[dict[str, str]]:
    lines = text.split("\n")
    separator = ""
    while lines and re.match(r"\s*(#|$)|sep=", lines[0], re.IGNORECASE):
        first = lines.pop(0)
        separator = first[4:5] if first.lower().startswith("sep=") else separator  # as spreadsheets name theirs
    if not lines:
        raise Refused(f"{path} has no line but comments: list pictures there under the header path,label.")
    separator = separator or max(SEPARATORS, key=lines[0].count)
    if separator not in lines[0]:
        names = lines[0].split()
        rows = [line.rsplit(None, max(0, len(names) - 1)) for line in lines]
    else:
        rows = _parted(path, lines, separator)
    names = _columns(path, rows[0], separator if separator in lines[0] else " ")
    rows = [row for row in rows[1:] if any(map(str.strip, row))]
    return [_record(names, row) for row in rows]


def _parted(path: Path, lines: list[str], separator: str) -> list[list[str]]:
    try:
        whole = [f"{line}\n" for line in lines]
        return list(csv.reader(whole, delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise Refused(
            f"{path} cannot be read as a list ({error}): close every quotation mark, and double those in names."
        ) from error


def _record(names: list[str], row: list[str]) -> dict[str, str]:
    cells = [cell.strip() for cell in row]
    record = dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
    return record | {EXTRA: " ".join(cells[len(names) :]).strip()}


def _columns(path: Path, header: list[str], separator: str) -> list[str]:
    if any(Path(cell.strip()).suffix.lower() in skips.SUFFIXES for cell in header):
        raise Refused(f"{path} has no header: write one as its first line, such as path{separator}label.")
    names = [column(cell) for cell in header]
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if twice:
        raise Refused(f"{path} has two columns called {twice}: give one of them another name.")
    return names


def column(name: str) -> str:
    """The name of a column in its one spelling."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _parsed(text: str) -> list:
    """The values of a JSON array, or those on each line; a single value where lines are parts of it."""
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        found = json.loads(text)
    except ValueError as whole:
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            raise whole from None
    return found if isinstance(found, list) else [found]


def _from_json(path: Path, text: str) -> list[dict[str, str]]:
    try:
        found = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path} is not whole JSON ({error}): {SHAPE}.") from error
    if not all(isinstance(each, dict) and not {list, dict} & set(map(type, each.values())) for each in found):
        raise Refused(f"{path} is JSON of another shape: {SHAPE}.")
    names = dict.fromkeys(column(name) for each in found for name in each)
    spelled = [{column(name): value for name, value in each.items()} for each in found]
    plain = [{name: "" if value is None else str(value) for name, value in each.items()} for each in spelled]
    return [dict.fromkeys([*names, EXTRA], "") | each for each in plain]
