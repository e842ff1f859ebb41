"""Archives of images, unpacked once under the built data: tar files, and Parquet tables with images inside.

Nothing in an archive is trusted: files are written below their own folder or not at all, links and devices
never, and all of them together take a bounded place. An archive that changes is unpacked again.
"""

import errno
import gzip
import json
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from PIL import Image, ImageDraw

from aligngemini.core import atomic, fingerprint, paths, reading
from aligngemini.core.manifest import no_memory, room_on_disk
from aligngemini.core.progress import progress

from ..header import LIMIT
from . import skips

NOTES = ".unpacked.json"
MASKS = "masks"
RULES = 4  # raised where other members are unpacked than before: what older rules unpacked is unpacked again
LARGEST = 2**30  # bytes of a file in an archive
SWELL = 20  # times the archive's size that may come out of it, beside LARGEST: ours, images hardly shrink
BLOCK = 4096  # bytes that the smallest file takes on a disk, so that their number is limited, too
IMPOSSIBLE = 2**35  # bytes, of no member of a shard
LEADS_OUT = "its path leads out of the archive"
COLUMNS = ["image", "generator", "uid", "labels", "width", "height"]
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, pa.ArrowException, KeyError)
Member = TypeVar("Member")
NAMELESS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ)


class Swells(Exception):
    """What is in an archive takes more place than images of its size can."""


def home(root: Path) -> Path:
    """The folder for what is unpacked of the archives under `root`."""
    return paths.built() / "unpacked" / fingerprint.digest(str(root.absolute()))[: fingerprint.LENGTH]


def unpacked(pack: Path, root: Path) -> tuple[Path, list[list[str]]]:
    """Unpack `pack`, an archive under `root`, unless that is done: its folder, and [name, reason] of what is not in it.

    The folder lies under home(root) as the archive under `root`, and is called like it. Raises DiskFull.
    """
    target, state = home(root) / pack.relative_to(root), pack.stat()
    stamp = [RULES, state.st_size, state.st_mtime_ns]
    if reading.known(target / NOTES).get("stamp") != stamp:
        paths.writable(target.parent, "ALIGNGEMINI_BUILT")
        target.parent.mkdir(parents=True, exist_ok=True)
        with room_on_disk(home(root)), FileLock(target.with_name(f".{target.name}.lock")):
            if reading.known(target / NOTES).get("stamp") != stamp:
                _replace(target, pack, stamp)
    return target, reading.known(target / NOTES)["refused"]


def _replace(target: Path, pack: Path, stamp: list) -> None:
    atomic.clear_of(target)
    atomic.remove(target)  # first, for there may be no room for both
    unpack, refused = (_unpack_table if pack.suffix == ".parquet" else _unpack_tar), []
    with atomic.replacing(target) as folder:
        folder.mkdir()
        try:
            unpack(pack, folder, refused)
        except Swells as error:
            atomic.remove(folder)
            folder.mkdir()
            refused[:] = [["", str(error)]]
        except Exception as error:  # of any kind: readers do not choose what damage makes them raise
            if getattr(error, "errno", None) or no_memory(error):
                raise
            refused.append(["", f"the archive is cut short or damaged ({error}): fetch it again"])
        (folder / NOTES).write_text(json.dumps({"stamp": stamp, "refused": refused}), encoding="utf-8")


def _unpack_tar(pack: Path, folder: Path, refused: list[list[str]]) -> None:
    with tarfile.open(pack, tarinfo=Header) as tar:
        members = bounded(tar, pack.stat().st_size, lambda member: member.size)
        for member in progress(members, f"unpacking {pack.name}"):
            if not member.isdir() and (reason := _member(tar, member, folder)):
                refused.append([member.name, reason])


class Header(tarfile.TarInfo):
    """The header of a member. One that is damaged or cut off raises ReadError: TarInfo would end the archive there."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "Header":
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}" if buf else "it has no end") from error
        return possible(member)


def bounded(members: Iterable[Member], packed: int, size: Callable[[Member], int]) -> Iterator[Member]:
    """Yield the members of an archive of `packed` bytes. Raises Swells where they are too large or too many for it."""
    total = 0
    for count, member in enumerate(members, 1):
        total += max(size(member), BLOCK)
        if total > SWELL * packed + LARGEST:
            place = f"{total // 2**20:,} MB or more in {count:,} files or more"
            raise Swells(f"it would swell to {place}: no archive of images, delete it")
        yield member


def possible(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member, if its size can be true. Raises ReadError: a stream would be read for hours to pass over it."""
    if not 0 <= member.size <= IMPOSSIBLE:
        raise tarfile.ReadError(f"a member of {member.size} bytes")
    return member


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one file of an archive, if it may be an image; why it was not, or ""."""
    name = PurePosixPath(member.name)
    if any(skips.hidden(part) and part != ".." for part in name.parts):
        return skips.HIDDEN
    if reason := problem(member.name, member.isreg(), member.size):
        return reason
    suffix = name.suffix.lower()
    if skips.called_text(suffix):  # shards hold a text beside each image
        return skips.TEXT
    data = tar.extractfile(member).read()
    reason = "" if suffix in skips.SUFFIXES else skips.of_content(data[: skips.HEAD], suffix)
    return reason or _written(folder / name, data)


def problem(name: str, regular: bool, size: int) -> str:
    """Why a member of an archive of any kind must not be unpacked, or ""; `size` in bytes."""
    path = PurePosixPath(name)
    if not regular:
        return "a link or a device, not a file"
    if path.is_absolute() or ".." in path.parts or not {"\\", "\0"}.isdisjoint(name):
        return LEADS_OUT
    return f"larger than {LARGEST // 2**20} MB" if size > LARGEST else ""


def _written(path: Path, data: bytes) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        if error.errno not in NAMELESS:
            raise
        return f"it cannot be written under its name ({error.strerror})"
    return ""


def _unpack_table(pack: Path, folder: Path, refused: list[list[str]]) -> None:
    """Images as <generator>/<uid>.<suffix>, their polygons as masks/<generator>/<uid>/<category>.png."""
    with pq.ParquetFile(pack) as table:
        batches = table.iter_batches(16, columns=COLUMNS)
        rows = (row for batch in batches for row in batch.to_pylist())
        rows = bounded(rows, pack.stat().st_size, lambda row: len((row["image"] or {}).get("bytes") or b""))
        for row in progress(rows, f"unpacking {pack.name}", total=table.metadata.num_rows):
            if reason := _row(row, folder):
                refused.append([f"{row['generator']}/{row['uid']}", reason])


def _row(row: dict, folder: Path) -> str:
    """Write an image and its masks; why something was not written, or ""."""
    generator, uid, image = str(row["generator"]), str(row["uid"]), row["image"] or {}
    outlines = row["labels"] or []
    names = [generator, uid, *(str(outline["label"]) for outline in outlines)]
    if any(name in ("", ".", "..") or not {"/", "\\", "\0"}.isdisjoint(name) for name in names):
        return "its name, or that of a mask, leads out of the table"
    if not image.get("bytes"):
        return "there is no picture in its row"
    suffix = os.path.splitext(image.get("path") or "")[1].lower()
    name = uid + (suffix if suffix in skips.SUFFIXES else ".png")
    reason = _written(folder / generator / name, image["bytes"])
    return reason or _masks(outlines, (row["width"] or 0, row["height"] or 0), folder / MASKS / generator / uid)


def _masks(outlines: list[dict], size: tuple[int, int], folder: Path) -> str:
    """Write a mask for each category of outlines, filled with 255; why they are not all there, or ""."""
    if outlines and not 0 < size[0] * size[1] <= LIMIT:
        return f"no masks for a size of {size[0]} x {size[1]}"
    shapes: dict[str, list[list[tuple[int, int]]]] = {}
    for outline in outlines:
        points = [(int(point[0]), int(point[1])) for point in outline["points"] or []]
        shapes.setdefault(outline["label"], []).append(points)
    for category, polygons in shapes.items():  # one mask in memory at a time
        mask = Image.new("L", size)
        for points in polygons:
            if len(points) >= 3:
                ImageDraw.Draw(mask).polygon(points, fill=255)
        folder.mkdir(parents=True, exist_ok=True)
        mask.save(folder / f"{category}.png")
    whole = all(len(points) >= 3 for polygons in shapes.values() for points in polygons)
    return "" if whole else "an outline of its artifacts has fewer than three points"
