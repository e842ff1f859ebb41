"""The list of what a stream judges: written once, one row group for each part, so that a part is always the same.

Addresses stand in it without what is secret; `located` completes them with the sources, which every command gives anew.
"""

import itertools
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from aligngemini.core import atomic, redaction
from aligngemini.core.params import Refused, shown
from aligngemini.images.filenames import spelled, true
from aligngemini.images.loaders import folders

FILES = 10_000  # of one part; a shard is a part of its own
REMOTE = "://"
PACKED = {".tar": "tar", ".tgz": "tar", ".gz": "tar", ".parquet": "parquet"}
SCHEMA = pa.schema([("place", pa.string()), ("kind", pa.string()), ("group", pa.int32()), ("reason", pa.string())])


class Entry(NamedTuple):
    """A file or shard: path or public address, its kind, the row group of Parquet, why a file is not tried as image."""

    place: str
    kind: str = "file"
    group: int = 0
    reason: str = ""


def write(sources: Iterable[str], file: Path, files: int = FILES) -> None:
    """List images, folders and shards, local or with an address that fsspec knows, as a Parquet file.

    A shard is a part of its own, and files are parts of `files` each. Raises Refused for what is not there.
    """
    entries = itertools.chain.from_iterable(map(_entries, sources))
    with atomic.replacing(file) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        waiting: list[Entry] = []
        for entry in entries:
            if entry.kind != "file":
                _add(writer, [entry])
                continue
            waiting.append(entry)
            if len(waiting) == files:
                _add(writer, waiting)
                waiting = []
        if waiting:
            _add(writer, waiting)


def _add(writer: pq.ParquetWriter, entries: list[Entry]) -> None:
    writer.write_table(pa.Table.from_pylist([entry._asdict() for entry in entries], SCHEMA))


def count(file: Path) -> int:
    """How many parts a list has."""
    return pq.read_metadata(file).num_row_groups


def part(file: Path, number: int) -> list[Entry]:
    """The entries of a part."""
    with pq.ParquetFile(file) as table:
        return [Entry(**row) for row in table.read_row_group(number).to_pylist()]


def _entries(source: str) -> Iterator[Entry]:
    listed = _remote(source) if REMOTE in source else _local(source)
    empty = True
    for place, reason in listed:
        name = place.partition("?")[0] if REMOTE in place else place
        kind = PACKED.get(posixpath.splitext(name)[1].lower(), "file")
        if kind == "parquet":
            yield from (Entry(place, kind, group) for group in range(_groups(place, source)))
        else:
            yield Entry(place, kind, 0, reason if kind == "file" else "")
        empty = False
    if empty:
        raise Refused(f"there is no file under {shown(source)}: give images, folders or shards")


def _local(source: str) -> Iterator[tuple[str, str]]:
    """Path and reason of a file, or of the files of a folder, walked as it is read: no list of all is in memory."""
    path = os.path.abspath(true(source))
    if not os.path.lexists(path):
        raise Refused(f"there is no image or folder {shown(source)}: check the path")
    return ((spelled(file), reason) for file, reason in folders.found(path, folders.walk))


def _remote(source: str) -> Iterator[tuple[str, str]]:
    stem, fs, top = _rooted(source)
    root = top.rstrip("/")
    try:
        found = [(posixpath.dirname(top), [], [posixpath.basename(top)])] if fs.isfile(top) else fs.walk(top)
        for folder, _, names in found:
            for path in (f"{folder.rstrip('/')}/{name}" for name in sorted(names) if name[:1] != "."):
                below = path.startswith(root)  # links of a web page lead anywhere
                yield stem + path.removeprefix(root) if below else redaction.public(fs.unstrip_protocol(path)), ""
    except (OSError, ValueError) as error:
        raise Refused(f"{shown(source)} cannot be read ({error}): check the address and its credentials") from error


def system(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address, and the path in it. Raises Refused for one that is not known here."""
    try:
        return fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise Refused(f"{shown(address)} cannot be read here: {error}") from error


@cache
def _rooted(source: str) -> tuple[str, fsspec.AbstractFileSystem, str]:
    """The public address of a source, its file system, and its path in it."""
    return re.sub("(?<=[^:/])/+$", "", redaction.public(source)), *system(source)


def located(place: str, sources: Sequence[str]) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a public address, and the path in it, by that of `sources` under which it lies."""
    for stem, fs, top in (_rooted(each) for each in sources if REMOTE in each):
        rest = place.removeprefix(stem)
        if rest != place and rest[:1] in ("", "/"):
            return fs, top.rstrip("/") + rest
    return system(place)


def opened(place: str, sources: Sequence[str]):
    """A shard, opened for reading bytes from any of its places."""
    if REMOTE not in place:
        return open(true(place), "rb")
    fs, path = located(place, sources)
    return fs.open(path, "rb")


def _groups(place: str, source: str) -> int:
    try:
        with opened(place, [source]) as file:
            return pq.read_metadata(file).num_row_groups
    except (OSError, pa.ArrowException):
        return 1  # the part says what is wrong
