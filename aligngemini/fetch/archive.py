"""Unpack archives of images that nobody vouches for: below one folder, and never too much."""

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from aligngemini.core import paths
from aligngemini.core.atomic import write
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images.loaders import archives
from aligngemini.images.loaders.skips import SUFFIXES

from . import disk_space, record

SWELL = 20  # times the archive's size that may come out of it: ours, images hardly shrink
DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, *archives.DAMAGE)


def unpacked(pack: Path, folder: Path, top: str = "", there: int = 0, discard: bool = False) -> dict[str, str]:
    """Unpack the images of a tar, or those in the folder `top` of a zip, into `folder`.

    Returns path -> why it was not unpacked, or "". Files that are there in their size stay, which are `there` bytes.
    `discard` deletes the archive afterwards. Raises Refused for an archive that is damaged or swells and for a disk
    that is too small, and OSError of the disk.
    """
    size = pack.stat().st_size - there  # images do not shrink in an archive
    disk_space.need(folder, size, f"unpacking {pack.name}")
    folder.mkdir(parents=True, exist_ok=True)
    with readable(pack):
        reasons = _from_zip(pack, folder, top) if pack.suffix == ".zip" else _from_tar(pack, folder)
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
    except DAMAGE as error:
        raise Refused(
            f"{paths.short(pack)} is cut short or damaged: delete it and run the same command again"
        ) from error


def _from_zip(pack: Path, folder: Path, top: str) -> dict[str, str]:
    """The record of `folder` comes from the archive's own directory, before the first file is written."""
    with zipfile.ZipFile(pack) as archive:
        members = [info for info in archive.infolist() if _is_image(info.filename, info.is_dir())]
        members = [info for info in members if _parts(info)[0] in (top, "..", "/")]
        _bounded(pack, sum(info.file_size for info in members))
        reasons = {info.filename: _problem(info) for info in members}
        good = {"/".join(_parts(info)[1:]): info for info in members if not _problem(info)}
        record.write(folder, [(name, info.file_size, info.CRC) for name, info in good.items()])
        for name, info in progress(good.items(), f"unpacking {pack.name}", len(good)):
            reasons[info.filename] = _put(folder / name, info.file_size, partial(archive.read, info))
    return reasons


def _from_tar(pack: Path, folder: Path) -> dict[str, str]:
    """The record of `folder` is written at the end: a tar has no directory."""
    reasons = {}
    with tarfile.open(pack) as tar:
        for member in progress(_members(tar, pack), f"unpacking {pack.name}"):
            reason = archives.problem(member.name, member.isreg(), member.size) or archives.filtered(member, folder)
            reasons[member.name] = reason or _put(folder / member.name, member.size, partial(_content, tar, member))
    good = [folder / name for name, reason in reasons.items() if not reason]
    record.write(folder, [record.row(path, folder) for path in dict.fromkeys(good)])
    return reasons


def _is_image(name: str, is_folder: bool) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return not (is_folder or hidden) and path.suffix.lower() in SUFFIXES


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(info.filename).parts


def _problem(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
    if info.flag_bits & 1:
        return "it is encrypted"
    return archives.problem(info.filename, stat.S_IFMT(mode) in (0, stat.S_IFREG), info.file_size)


def _members(tar: tarfile.TarFile, pack: Path) -> Iterator[tarfile.TarInfo]:
    """Members that may be images, links and devices among them; raises EOFError for an archive without an end."""
    total = 0
    for member in tar:
        total += member.size
        _bounded(pack, total)
        if _is_image(member.name, member.isdir()):
            yield member
    archives.check_end(tar)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return tar.extractfile(member).read()


def _bounded(pack: Path, total: int) -> None:
    if total > SWELL * pack.stat().st_size + archives.LARGEST:
        raise Refused(f"{paths.short(pack)} would swell to {total / 1e9:.0f} GB: no archive of pictures, delete it")


def _put(path: Path, size: int, read: Callable[[], bytes]) -> str:
    """Write a file, unless it is there in its size; "" or why its name does not allow it."""
    if path.is_file() and path.stat().st_size == size:
        return ""
    try:
        write(path, read())
    except OSError as error:
        if error.errno not in archives.NAMELESS:
            raise
        return f"it cannot be written under its name ({error.strerror})"
    return ""
