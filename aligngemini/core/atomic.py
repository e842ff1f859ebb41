"""Files and folders that are there whole or not at all, whatever is killed."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part-"  # how the names of what is half made begin


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, with the same suffix, for a file or a folder that is moved there at the end.

    Readers see the old or the new, and where the block fails, the old. The folder of `path` is made if need be.
    """
    temporary = path.with_name(f"{PART}{os.getpid()}-{_mark(path)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    try:
        yield temporary
        move(temporary, path)
    finally:
        remove(temporary)


def write(path: Path, content: bytes | str) -> Path:
    """Write a file whole or not at all, text as UTF-8, and return its path. Raises OSError."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def move(new: Path, path: Path) -> Path:
    """Move a file or a folder to `path`, and return that; a folder that is there goes when its successor is whole."""
    old = path.with_name(f"{PART}old-{_mark(path)}")
    if path.is_dir():  # no system replaces a folder that holds files
        remove(old)
        path.rename(old)
    new.replace(path)
    remove(old)  # also what a kill between these lines has left
    return path


def discard(path: Path) -> None:
    """Delete a file or a folder that is there: readers see all of it or nothing."""
    gone = path.with_name(f"{PART}{os.getpid()}-{_mark(path)}")
    path.rename(gone)
    remove(gone)


def _mark(path: Path) -> str:
    """A short name that stands for the name of `path`, which may be as long as names can be."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12] + path.suffix


def clear_of(path: Path) -> None:
    """Delete what killed processes left half made of `path`: for whoever has locked it."""
    for left in list(path.parent.glob(f"{PART}*-{_mark(path)}")):
        remove(left)


def clear(folder: Path) -> None:
    """Delete what killed processes left half made anywhere in `folder`."""
    for path in list(folder.rglob(f"{PART}*")):
        remove(path)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
