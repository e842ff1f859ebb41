"""The images of a part, one after the other: files as they are, members of tar shards, rows of Parquet shards."""

import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from aligngemini.core import redaction
from aligngemini.core.manifest import no_memory
from aligngemini.core.params import Refused
from aligngemini.images import header
from aligngemini.images.filenames import true
from aligngemini.images.header import Unreadable
from aligngemini.images.loaders import archives, skips

from . import listing
from .listing import Entry

IMAGES, BYTES = 256, 64 * 2**20  # of a chunk: so much that is encoded is in memory at once
ROWS = 32  # of a Parquet shard read at once
NAMES = ("image", "img", "bytes", "jpg", "jpeg", "png", "webp")  # columns in which others keep images


class Remote(NamedTuple):
    """A file that is fetched when its chunk is judged."""

    system: AbstractFileSystem
    path: str


def chunks(entries: list[Entry], sources: Sequence[str] = ()) -> Iterator[list[tuple[str, Any]]]:
    """(name, image) pairs of a part, always cut at the same places, one empty chunk where there is no image: an image
    is a path, a Remote, bytes or an Unreadable. `sources` complete the addresses of the list.
    """
    chunk: list[tuple[str, Any]] = []
    size, empty = 0, True
    for pair in (pair for entry in entries for pair in _pairs(entry, sources)):
        size += len(pair[1]) if isinstance(pair[1], bytes) else 0
        chunk.append(pair)
        if len(chunk) == IMAGES or size > BYTES:
            yield chunk
            chunk, size, empty = [], 0, False
    if chunk or empty:
        yield chunk


def fetched(chunk: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """A chunk whose remote files are bytes, fetched side by side where their store can do that."""
    remote = [image for _, image in chunk if isinstance(image, Remote)]
    data: dict[Remote, Any] = {}
    for system in dict.fromkeys(image.system for image in remote):
        files = [image for image in remote if image.system is system]
        # Unlike `cat`, which takes [ and ? in names for patterns.
        found = system.cat_ranges([file.path for file in files], [None] * len(files), [None] * len(files))
        data |= dict(zip(files, found, strict=True))
    return [(name, _readable(data[image]) if isinstance(image, Remote) else image) for name, image in chunk]


def _readable(image: Any) -> Any:
    if isinstance(image, Exception):
        return Unreadable(redaction.hidden(f"the file cannot be read ({image})"))
    return image


def _pairs(entry: Entry, sources: Sequence[str]) -> Iterator[tuple[str, Any]]:
    if entry.kind != "file":
        yield from _members(entry, sources)
    elif entry.reason:
        yield entry.place, Unreadable(entry.reason)
    else:
        remote = listing.REMOTE in entry.place
        yield entry.place, Remote(*listing.located(entry.place, sources)) if remote else true(entry.place)


def _members(entry: Entry, sources: Sequence[str]) -> Iterator[tuple[str, Any]]:
    read = {"tar": _tar, "parquet": _parquet}[entry.kind]
    try:
        with listing.opened(entry.place, sources) as file:
            yield from read(entry, file)
    except Exception as error:  # of any kind: readers do not choose what damage makes them raise
        if isinstance(error, Refused) or no_memory(error):
            raise
        yield entry.place, Unreadable(redaction.hidden(f"the shard cannot be read to its end ({error})"))


def _tar(entry: Entry, file: Any) -> Iterator[tuple[str, Any]]:
    """The images of a WebDataset shard; the texts beside them are no images."""
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=archives.Header) as tar:
        for member in map(archives.possible, tar):
            name, suffix = f"{entry.place}/{member.name}", posixpath.splitext(member.name)[1].lower()
            if member.isdir() or skips.hidden(posixpath.basename(member.name)) or skips.called_text(suffix):
                continue
            if reason := archives.problem(member.name, member.isreg(), member.size):
                yield name, Unreadable(reason)
                continue
            data = tar.extractfile(member).read()
            if header.kind(data[: skips.HEAD]) or suffix in skips.SUFFIXES:  # not a class or a number
                yield name, data


def _parquet(entry: Entry, file: Any) -> Iterator[tuple[str, Any]]:
    """The images of a row group, named by their rows."""
    table = pq.ParquetFile(file)
    column = _column(table.schema_arrow)
    row = sum(table.metadata.row_group(group).num_rows for group in range(entry.group))
    for batch in table.iter_batches(ROWS, row_groups=[entry.group], columns=[column]):
        for value in batch.column(0).to_pylist():
            data = value.get("bytes") if isinstance(value, dict) else value
            yield f"{entry.place}#{row}", data or Unreadable("there is no image in its row")
            row += 1


def _column(schema: pa.Schema) -> str:
    """The column of images: bytes, or bytes beside a path as Hugging Face has them. Raises ArrowException."""
    fits = [field.name for field in schema if _holds_bytes(field.type)]
    if not fits:
        raise pa.ArrowInvalid(f"it has no column of bytes, only {', '.join(schema.names)}")
    return next((name for name in fits if name.lower() in NAMES), fits[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
