"""Files and folders that are there whole or not at all, whatever is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part-"  # how the names of what is half made begin


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, with the same suffix, for a file or a folder that is moved there at the end.

    Readers see the old or the new. The folder of `path` is made if need be. Where the block fails, nothing is moved.
    """
    temporary = path.with_name(f"{PART}{os.getpid()}-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    try:
        yield temporary
        if path.is_dir():  # no system replaces a folder that holds files
            remove(path)
        os.replace(temporary, path)
    finally:
        remove(temporary)


def clear(folder: Path) -> None:
    """Delete what killed processes left half made in `folder` and in the folders directly in it."""
    for path in [*folder.glob(f"{PART}*"), *folder.glob(f"*/{PART}*")]:
        remove(path)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
