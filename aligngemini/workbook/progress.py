"""Progress of long work: one line that says how far it is, how fast, and how long it will take.

A terminal gets one line with a bar, a notebook one line that is updated, anything else a line every 30
seconds; whoever set ALIGNGEMINI_PROGRESS to a file's path finds the same there as JSON.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from os import environ
from pathlib import Path
from typing import Any, TypeVar

from aligngemini.workbook import json_file, manifest

FILE = "ALIGNGEMINI_PROGRESS"
BAR = 24
PAUSE = {"terminal": 0.2, "notebook": 1.0, "lines": 30.0}
T = TypeVar("T")
_meters: dict[str, "Meter"] = {}


def progress(iterable: Iterable[T], label: str, total: int | None = None, each: int = 1) -> Iterator[T]:
    """Yield the items of `iterable` and show the progress of `label`; `total` defaults to its length.

    An item that is a batch counts for `each`, and the last one for what is left of `total`. Ends with one summary line,
    also when the loop is left early or fails.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    meter = Meter(label, total)
    try:
        for done, item in enumerate(iterable, start=1):
            yield item
            meter.update(done * each if total is None else min(done * each, total))
    finally:
        meter.close()


def note(label: str, done: int, total: int | None = None) -> None:
    """Show that `done` of `total` steps of `label` are done, for trainers' callbacks; ends with the last."""
    meter = _meters.get(label)
    if meter is None or done < meter.done:
        meter = _meters[label] = Meter(label, total, done)
    meter.update(done)
    if total is not None and done >= total:
        _meters.pop(label).close()


def say(text: str) -> None:
    """Print a line on what is happening, where nothing can be counted; it goes the same way as progress."""
    print(text, file=sys.stderr, flush=True)
    _file({"label": text, "done": 0, "total": None, "seconds": 0.0, "left": None})


def spell(seconds: float) -> str:
    """Return a duration as people read it: 0:07, 12:30, 3:05:00."""
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Meter:
    """One progress line; `skipped` steps were done before it began and do not count for the rate."""

    def __init__(self, label: str, total: int | None, skipped: int = 0) -> None:
        self.label, self.total, self.done, self.skipped = label, total, skipped, skipped
        self.began = time.monotonic()
        self._shown = self.began if _channel() == "lines" else 0.0
        self._filed, self._closed = 0.0, False
        self._show = _shower()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float | None:
        """Seconds left, or None where they cannot be known."""
        fresh = self.done - self.skipped
        return None if not self.total or not fresh else self.seconds / fresh * max(self.total - self.done, 0)

    def update(self, done: int) -> None:
        """Note that `done` steps are done, and show it if the last time is long enough ago."""
        self.done, now = done, time.monotonic()
        if now - self._shown >= PAUSE[_channel()]:
            self._show(self.line(), False)
            self._shown = now
        if now - self._filed >= 1:
            self._tell()
            self._filed = now

    def close(self) -> None:
        """End with one summary line; only the first call does."""
        if not self._closed:
            self._closed = True
            self._tell()
            short = f" of {self.total}" if self.total and self.done < self.total else ""
            self._show(f"{self.label}: {self.done}{short} in {spell(self.seconds)}{self._rate()}", True)

    def line(self) -> str:
        """Return the line shown while it goes on."""
        rate = self._rate()
        if not self.total:
            return f"{self.label}: {self.done}{rate}"
        share = min(self.done / self.total, 1)
        bar = "█" * int(share * BAR) + "·" * (BAR - int(share * BAR))
        left = f", {spell(self.left)} left" if self.left is not None else ""
        return f"{self.label}: {bar} {self.done}/{self.total} {share:.0%}{rate}{left}"

    def _rate(self) -> str:
        fresh = self.done - self.skipped
        return f", {fresh / self.seconds:.3g}/s" if fresh and self.seconds > 0 else ""

    def _tell(self) -> None:
        left = None if self.left is None else round(self.left, 1)
        state = {"label": self.label, "done": self.done, "total": self.total}
        _file(state | {"seconds": round(self.seconds, 1), "left": left})


def _file(state: dict[str, Any]) -> None:
    if environ.get(FILE):
        path = Path(environ[FILE])
        with manifest.room_on_disk(path.parent):
            json_file.write(path, state)


def _channel() -> str:
    if _in_notebook():
        return "notebook"
    return "terminal" if sys.stderr is not None and sys.stderr.isatty() else "lines"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and type(ipython.get_ipython()).__name__ == "ZMQInteractiveShell"


def _shower() -> Callable[[str, bool], None]:
    """Return a function (line, last) that shows a line in the place of the one before it."""
    channel = _channel()
    if channel == "notebook":
        return _updated()
    if channel == "terminal":
        return _overwrite
    return lambda line, last: print(line, file=sys.stderr, flush=True)


def _updated() -> Callable[[str, bool], None]:
    from IPython.display import DisplayHandle

    handle, shown = DisplayHandle(), []

    def show(line: str, last: bool) -> None:
        put = handle.update if shown else handle.display
        put({"text/plain": line}, raw=True)
        shown.append(line)

    return show


def _overwrite(line: str, last: bool) -> None:
    print(f"\r\x1b[2K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
