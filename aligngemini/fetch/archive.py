"""Unpack archives of images that nobody vouches for: below one folder, and never too much."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from aligngemini.core import paths
from aligngemini.core.atomic import write
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images.loaders import archives
from aligngemini.images.loaders.skips import SUFFIXES

from . import record

DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, *archives.DAMAGE)  # compressions that zipfile lacks, too


class Member(NamedTuple):
    """An image in an archive: its name there, what speaks against it ("": nothing), its size in bytes, its bytes."""

    name: str
    problem: str
    size: int
    read: Callable[[], bytes]


def unpacked(pack: Path, folder: Path, top: str = "", discard: bool = False) -> dict[str, str]:
    """Unpack the images of a tar, or those in the folder `top` of a zip, into `folder`, and write its record.

    Returns path -> why it was not unpacked, or "". Files that are there in their size stay. `discard` deletes the
    archive afterwards. Raises Refused for an archive that is damaged or swells, and OSError of the disk.
    """
    reasons, rows = {}, {}
    with readable(pack):
        for member in progress(_members(pack, top), f"unpacking {pack.name}"):
            name = member.name.removeprefix(f"{top}/")
            reasons[member.name] = member.problem or _put(folder, name, member, rows)
    record.write(folder, list(rows.values()))
    if discard:
        pack.unlink()
    return reasons


@contextmanager
def readable(pack: Path) -> Iterator[None]:
    """Turn what is raised for an archive that is not what it was when it was made into Refused."""
    try:
        yield
    except Refused:
        raise
    except archives.Swells as error:
        raise Refused(f"{paths.short(pack)}: {error}") from error
    except DAMAGE as error:
        raise Refused(
            f"{paths.short(pack)} is cut short or damaged: delete it and run the same command again"
        ) from error


def _members(pack: Path, top: str) -> Iterator[Member]:
    """What may be images. Raises EOFError for a tar without an end."""
    if pack.suffix == ".zip":
        with zipfile.ZipFile(pack) as archive:
            members = list(archives.bounded(archive.infolist(), pack.stat().st_size, lambda info: info.file_size))
            images = [info for info in members if _is_image(info.filename, info.filename.endswith("/"))]
            for info in images:
                if PurePosixPath(info.filename).parts[0] in (top, "..", "/"):
                    yield Member(info.filename, _problem(info), info.file_size, partial(archive.read, info))
        return
    with tarfile.open(pack, tarinfo=archives.Header) as tar:
        for info in archives.bounded(tar, pack.stat().st_size, lambda info: info.size):
            if _is_image(info.name, info.isdir()):
                problem = archives.problem(info.name, info.isreg(), info.size)
                yield Member(info.name, problem, info.size, lambda info=info: tar.extractfile(info).read())


def _is_image(name: str, is_folder: bool) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return not (is_folder or hidden) and path.suffix.lower() in SUFFIXES


def _problem(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
    if info.flag_bits & 1:
        return "it is encrypted"
    return archives.problem(info.filename, stat.S_IFMT(mode) in (0, stat.S_IFREG), info.file_size)


def _put(folder: Path, name: str, member: Member, rows: dict[str, list]) -> str:
    """Write a file, unless it is there in its size, and its row of the record; "" or why its name does not allow it."""
    path = folder / name
    try:
        there = path.is_file() and path.stat().st_size == member.size
        data = path.read_bytes() if there else member.read()
        if not there:
            write(path, data)
    except OSError as error:
        if error.errno not in archives.NAMELESS:
            raise
        return f"it cannot be written under its name ({error.strerror})"
    rows[name] = [name, len(data), zlib.crc32(data)]
    return ""
