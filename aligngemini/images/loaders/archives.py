"""Archives of pictures, unpacked once under the built data: tar files, and tables with pictures inside.

Nothing in an archive is trusted: files are written below their own folder or not at all, links and devices
never. An archive that changes is unpacked again, one whose unpacking was interrupted, too.
"""

import errno
import gzip
import json
import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from PIL import Image, ImageDraw

from aligngemini.core import atomic, fingerprint, paths, reading
from aligngemini.core.manifest import room_on_disk
from aligngemini.core.progress import progress

from ..header import LIMIT
from . import skips

TOLD = ".unpacked.json"
MASKS = "masks"
RULES = 2  # raised where other members are unpacked than before: what was unpacked by older rules is unpacked again
LARGEST = 2**30  # bytes of a file in an archive
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
    target = home(root) / pack.relative_to(root)
    stamp = [RULES, pack.stat().st_size, pack.stat().st_mtime_ns]
    if (told := reading.known(target / TOLD)).get("stamp") == stamp:  # also where nothing can be written
        return target, told["refused"]
    paths.writable(target.parent, "ALIGNGEMINI_BUILT")
    with room_on_disk(home(root)):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            told = reading.known(target / TOLD)
            if told.get("stamp") != stamp:
                told = {"stamp": stamp, "refused": _replaced(pack, target)}
                (target / TOLD).write_text(json.dumps(told), encoding="utf-8")
    return target, told["refused"]


def _replaced(pack: Path, target: Path) -> list[list[str]]:
    atomic.clear_of(target)
    atomic.remove(target)  # first, for there may be no room for both
    with atomic.replacing(target) as temporary:
        temporary.mkdir()
        return _from_table(pack, temporary) if pack.suffix == ".parquet" else _from_tar(pack, temporary)


def _from_tar(pack: Path, folder: Path) -> list[list[str]]:
    refused = []
    try:
        with tarfile.open(pack) as tar:
            for member in progress(tar, f"unpacking {pack.name}"):
                if reason := _member(tar, member, folder):
                    refused.append([member.name, reason])
            check_end(tar)
    except DAMAGE as error:
        refused.append(["", f"the archive is cut short or damaged ({error}): fetch it again"])
    return refused


def check_end(tar: tarfile.TarFile) -> None:
    """Raise EOFError for an archive, read to its last member, without the mark of its end."""
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise EOFError("it has no end")


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one file of an archive, if it may be a picture; why it was not, or ""."""
    name = PurePosixPath(member.name)
    if member.isdir():
        return ""
    if any(skips.hidden(part) and part != ".." for part in name.parts):
        return skips.HIDDEN
    if reason := problem(member.name, member.isreg(), member.size) or filtered(member, folder):
        return reason
    data = tar.extractfile(member).read()
    return skips.of_member(member.name, data) or _written(folder / name, data)


def problem(name: str, regular: bool, size: int) -> str:
    """Why a member of an archive of any kind must not be unpacked, or ""; `size` in bytes."""
    path = PurePosixPath(name)
    if not regular:
        return "a link or a device, not a file"
    if path.is_absolute() or ".." in path.parts or "\\" in name:
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


def _from_table(pack: Path, folder: Path) -> list[list[str]]:
    """Pictures as <generator>/<uid>.<suffix>, their polygons as masks/<generator>/<uid>/<category>.png."""
    refused = []
    try:
        with pq.ParquetFile(pack) as table:
            batches = table.iter_batches(16, columns=COLUMNS)
            lines = (line for batch in batches for line in batch.to_pylist())
            for line in progress(lines, f"unpacking {pack.name}", total=table.metadata.num_rows):
                refused += [[f"{line['generator']}/{line['uid']}", reason] for reason in _line(line, folder)]
    except DAMAGE as error:
        refused.append(["", f"the table is damaged or of another kind ({error}): fetch it again"])
    return refused


def _line(line: dict, folder: Path) -> list[str]:
    """Write a picture and its masks; why something was not written."""
    generator, uid, image = str(line["generator"]), str(line["uid"]), line["image"] or {}
    if not all(map(_plain, (generator, uid))):
        return ["its name leads out of the table"]
    if not image.get("bytes"):
        return ["there is no picture in its row"]
    suffix = PurePosixPath(image.get("path") or "").suffix.lower()
    name = uid + (suffix if suffix in skips.SUFFIXES else ".png")
    problem = _written(folder / generator / name, image["bytes"])
    if problem:
        return [problem]
    return _masks(line, folder / MASKS / generator / uid)


def _plain(name: str) -> bool:
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0")


def _masks(line: dict, folder: Path) -> list[str]:
    outlines: dict[str, list] = {}
    try:
        for label in line["labels"] or []:
            points = [(int(point[0]), int(point[1])) for point in label["points"] or []]
            outlines.setdefault(label["label"], []).append(points)
    except (IndexError, TypeError, ValueError):
        return ["its outlines are no points"]
    size = (line["width"] or 0, line["height"] or 0)
    if outlines and not 0 < size[0] * size[1] <= LIMIT:
        return [f"no masks for a size of {size[0]} x {size[1]}"]
    return [reason for category, shapes in outlines.items() if (reason := _mask(folder, category, shapes, size))]


def _mask(folder: Path, category: str, outlines: list[list], size: tuple[int, int]) -> str:
    """Fill the outlines of one category; why they are not all in the file, or ""."""
    if not _plain(str(category)):
        return f"no mask for a category called {category!r}"
    mask = Image.new("L", size)
    whole = [outline for outline in outlines if len(outline) >= 3]
    for outline in whole:
        ImageDraw.Draw(mask).polygon(outline, fill=255)
    folder.mkdir(parents=True, exist_ok=True)
    mask.save(folder / f"{category}.png")
    return "" if len(whole) == len(outlines) else f"an outline of {category} has fewer than three points"
