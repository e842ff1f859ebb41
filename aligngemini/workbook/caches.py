"""Caches: what cannot be kept is found out again next time; that costs time, and no result."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from aligngemini.workbook import paths
from aligngemini.workbook.progress import say


@contextmanager
def optional(folder: Path) -> Iterator[None]:
    """Let writing into the cache `folder` fail: the first failure is told, in one line, and work goes on."""
    try:
        yield
    except OSError as error:
        tell(folder, error.strerror or str(error))


@cache
def tell(folder: Path, why: str) -> None:
    """Say once that nothing can be kept in `folder`."""
    say(f"{paths.short(folder)} cannot be written to ({why}): what is found out now will be found out again next time")
