"""Temporary folders of commands: those of a command that was killed go when the next one needs one."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, LOCK = "aligngemini-", "owner.lock"
YOUNG = 2  # seconds: the command that has just made a folder may not hold its lock yet


@contextmanager
def folder(home: Path | None = None) -> Iterator[Path]:
    """Yield a new folder in `home`, by default among the system's temporary files, whose names are short; it goes at
    the end. What was left in a `home` stays: several machines may share it, and locks may be each machine's own.
    """
    if home:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=home) as place:
            yield Path(place)
        return
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        _clear(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as place, FileLock(Path(place) / LOCK):
        yield Path(place)


def _clear(lock: Path) -> None:
    """Delete the folder of a lock that nobody holds any more; one of another user stays."""
    try:
        if time.time() - lock.parent.stat().st_mtime > YOUNG:
            with FileLock(lock, timeout=0):
                shutil.rmtree(lock.parent, ignore_errors=True)
    except (OSError, Timeout):
        return
