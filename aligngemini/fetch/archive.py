"""Unpack archives of pictures that nobody vouches for: below one folder, bounded, and going on after a stop."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from ..images.places import shards
from ..images.places.skips import SUFFIXES
from ..workbook import atomic, paths
from ..workbook.params import Refused
from ..workbook.progress import progress
from . import record

SWELL = 20  # times the archive's size that may come out of it: ours, pictures hardly shrink
DAMAGED = "damaged in the archive"
UNZIPPABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # RuntimeError: encrypted


def from_zip(pack: Path, folder: Path, top: str) -> pd.DataFrame:
    """Unpack the pictures of a zip that lie in its folder `top` into `folder`; path and reason of what was not.

    The record of `folder` is made from the archive's own directory, before the first file is written. Files that
    are there in their size are kept. Raises Refused for what is no zip or swells, OSError of the disk.
    """
    with _opened(pack) as archive:
        members = [info for info in archive.infolist() if _is_picture(info.filename, info.is_dir())]
        members = [info for info in members if PurePosixPath(info.filename).parts[0] in (top, "..", "/")]
        _bounded(pack, sum(info.file_size for info in members))
        reasons = {info.filename: _refused(info) for info in members}
        good = {_below(info.filename): info for info in members if not reasons[info.filename]}
        rows = [(name, info.file_size, info.CRC) for name, info in good.items()]
        record.write(folder, pd.DataFrame(rows, columns=record.COLUMNS))
        for name, info in progress(good.items(), f"unpacking {pack.name}", len(good)):
            reasons[info.filename] = _from_zip(archive, info, folder / name)
    return record.left_out(reasons)


def from_tar(pack: Path, folder: Path) -> pd.DataFrame:
    """Unpack the pictures of a tar into `folder`, as from_zip does; the record is made at the end.

    Damage at the end of the archive is one row without a path, and then there is no record.
    """
    rows, reasons = [], {}
    try:
        with tarfile.open(pack) as tar:
            for member in progress(_members(tar, pack), f"unpacking {pack.name}"):
                reasons[member.name] = _from_tar(tar, member, folder, rows)
    except shards.DAMAGE:
        return record.left_out(reasons | {"": DAMAGED})
    record.write(folder, pd.DataFrame(rows, columns=record.COLUMNS).drop_duplicates("path", keep="first"))
    return record.left_out(reasons)


def damaged(pack: Path) -> str:
    """The sentence on an archive that is not what it was when it was made."""
    return f"{paths.short(pack)} is cut short or damaged: delete it and run the same command again"


def _opened(pack: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(pack)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Refused(damaged(pack)) from error


def _is_picture(name: str, is_folder: bool) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return not (is_folder or hidden) and path.suffix.lower() in SUFFIXES


def _below(name: str) -> str:
    return "/".join(PurePosixPath(name).parts[1:])


def _refused(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16  # 0 where the zip was not made on Unix
    if info.flag_bits & 1:
        return "it is encrypted"
    return shards.problem(info.filename, stat.S_IFMT(mode) in (0, stat.S_IFREG), info.file_size)


def _bounded(pack: Path, total: int) -> None:
    if total > SWELL * pack.stat().st_size + shards.LARGEST:
        raise Refused(f"{paths.short(pack)} would swell to {total / 1e9:.0f} GB: no archive of pictures, delete it")


def _from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> str:
    if _there(path, info.file_size):
        return ""
    try:
        return _put(path, archive.read(info))
    except UNZIPPABLE:
        return DAMAGED


def _members(tar: tarfile.TarFile, pack: Path) -> Iterator[tarfile.TarInfo]:
    """Members that may be pictures, links and devices among them; raises EOFError for an archive without an end."""
    total = 0
    for member in tar:
        total += member.size
        _bounded(pack, total)
        if _is_picture(member.name, member.isdir()):
            yield member
    shards.check_end(tar)


def _from_tar(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, rows: list) -> str:
    """Write a member and append its row to `rows`, or say why not."""
    reason = shards.problem(member.name, member.isreg(), member.size) or shards.filtered(member, folder)
    if reason:
        return reason
    path, data = folder / PurePosixPath(member.name), tar.extractfile(member).read()
    reason = "" if _there(path, len(data)) else _put(path, data)
    if not reason:
        rows.append((path.relative_to(folder).as_posix(), len(data), zlib.crc32(data)))
    return reason


def _there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _put(path: Path, data: bytes) -> str:
    try:
        atomic.write(path, data)
    except OSError as error:
        if error.errno not in shards.NAMELESS:
            raise
        return f"it cannot be written under its name ({error.strerror})"
    return ""
