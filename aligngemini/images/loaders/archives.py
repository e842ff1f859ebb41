"""Archives of images, unpacked once under the built data: tar files, and Parquet tables with images inside.

Nothing in an archive is trusted: files are written below their own folder or not at all, links and devices
never. An archive that changes is unpacked again.
"""

import errno
import gzip
import json
import lzma
import os
import tarfile
import zlib
from pathlib import Path, PurePosixPath

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
RULES = 3  # raised where other members are unpacked than before: what older rules unpacked is unpacked again
LARGEST = 2**30  # bytes of a file in an archive
IMPOSSIBLE = 2**35  # bytes, of no member of a shard
LEADS_OUT = "its path leads out of the archive"
COLUMNS = ["image", "generator", "uid", "labels", "width", "height"]
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, pa.ArrowException, KeyError)
NAMELESS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ)


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
        except Exception as error:  # of any kind: readers do not choose what damage makes them raise
            if getattr(error, "errno", None) or no_memory(error):
                raise
            refused.append(["", f"the archive is cut short or damaged ({error}): fetch it again"])
        (folder / NOTES).write_text(json.dumps({"stamp": stamp, "refused": refused}), encoding="utf-8")


def _unpack_tar(pack: Path, folder: Path, refused: list[list[str]]) -> None:
    with tarfile.open(pack, tarinfo=Header) as tar:
        for member in progress(tar, f"unpacking {pack.name}"):
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
    if reason := problem(member.name, member.isreg(), member.size) or filtered(member, folder):
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


def filtered(member: tarfile.TarInfo, folder: Path) -> str:
    """Why Python's own filter does not let a member into `folder`, or ""."""
    try:
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError:
        return LEADS_OUT
    return ""


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
    masks = {outline["label"]: Image.new("L", size) for outline in outlines}
    whole = [outline for outline in outlines if len(outline["points"] or []) >= 3]
    for outline in whole:
        points = [(int(point[0]), int(point[1])) for point in outline["points"]]
        ImageDraw.Draw(masks[outline["label"]]).polygon(points, fill=255)
    for category, mask in masks.items():
        folder.mkdir(parents=True, exist_ok=True)
        mask.save(folder / f"{category}.png")
    return "" if len(whole) == len(outlines) else "an outline of its artifacts has fewer than three points"
