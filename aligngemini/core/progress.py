"""Progress of long work: how far it is, how fast, and how long it will take. tqdm writes the line.

A terminal gets a bar, a notebook one line of text that is updated (a widget would be lost where the saved notebook
is read), anything else a line every 30 seconds. If ALIGNGEMINI_PROGRESS names a file, progress is also there as JSON.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import closing
from functools import cache
from os import environ
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from aligngemini.core import json_file, manifest

FILE = "ALIGNGEMINI_PROGRESS"
T = TypeVar("T")
_meters: dict[str, "Meter"] = {}
_loops: list["Meter"] = []  # of `progress`, the outermost first


def progress(iterable: Iterable[T], label: str, total: int | None = None, each: int = 1) -> Iterator[T]:
    """Yield the items of `iterable` and show the progress of `label`; `total` defaults to its length.

    An item that is a batch counts for `each`, and the last one for what is left of `total`. Ends with one summary line,
    also when the loop is left early or fails. Progress within the loop shares its line, and leaves none of its own.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with closing(Meter(label, total)) as meter:
        _loops.append(meter)
        try:
            for done, item in enumerate(iterable, start=1):
                yield item
                meter.update(done * each if total is None else min(done * each, total))
        finally:
            _loops.remove(meter)


def note(label: str, done: int, total: int | None = None) -> None:
    """Show that `done` of `total` steps of `label` are done, for trainers' callbacks; ends with the last."""
    meter = _meters.get(label)
    if meter is None or done < meter.bar.n:
        meter = _meters[label] = Meter(label, total, done)
    meter.update(done)
    if total is not None and done >= total:
        _meters.pop(label).close()


def say(text: str) -> None:
    """Print a line on what is happening, where nothing can be counted; it goes the same way as progress."""
    tqdm.write(text, file=sys.stderr)  # above the bar, if there is one
    _write(text, 0, None, 0.0, None)


@cache
def say_once(text: str) -> None:
    """`say`, once in this process."""
    say(text)


def spell(seconds: float) -> str:
    """Return a duration as people read it: 0:07, 12:30, 3:05:00."""
    return tqdm.format_interval(round(seconds)).removeprefix("0")


class Meter:
    """One progress line; `skipped` steps were done before it began and do not count for the rate."""

    def __init__(self, label: str, total: int | None, skipped: int = 0) -> None:
        self._written, self._inner = 0.0, bool(_loops)
        place = self.place = _loops[0].place if _loops else _place(label)
        steps = {"desc": label, "total": total, "initial": skipped, "miniters": 0, "smoothing": 0}
        self.bar = tqdm(**steps, **place, mininterval=place["delay"], leave=False, position=0, disable=False)

    def update(self, done: int) -> None:
        """Note that `done` steps are done, and show it if the last time is long enough ago."""
        self.bar.update(done - self.bar.n)
        if time.monotonic() - self._written >= 1:
            self._written = time.monotonic()
            self._measure()

    def close(self) -> None:
        """End with one summary line."""
        bar = self.bar
        bar.close()
        seconds, rate = self._measure()
        if self._inner:
            return
        short = f" of {bar.total}" if bar.total and bar.n < bar.total else ""
        speed = f", {rate:.3g}/s" if rate else ""
        tqdm.write(f"{bar.desc}: {bar.n}{short} in {spell(seconds)}{speed}", file=bar.fp)

    def _measure(self) -> tuple[float, float]:
        """Write the file, and return the seconds since the beginning and the steps per second."""
        bar, seconds = self.bar, self.bar.format_dict["elapsed"]
        rate = (bar.n - bar.initial) / seconds if seconds > 0 else 0.0
        left = round(max(bar.total - bar.n, 0) / rate, 1) if bar.total and rate else None
        _write(bar.desc, bar.n, bar.total, round(seconds, 1), left)
        return seconds, rate


def _write(label: str, done: int, total: int | None, seconds: float, left: float | None) -> None:
    if environ.get(FILE):
        path = Path(environ[FILE])
        with manifest.room_on_disk(path.parent):
            json_file.write(path, {"label": label, "done": done, "total": total, "seconds": seconds, "left": left})


class _Lines:
    """A stream for tqdm where nothing is overwritten: `show` gets each text that is not blank."""

    encoding = "utf-8"

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show

    def write(self, text: str) -> None:
        if text.strip():
            self.show(text.strip())


def _place(label: str) -> dict[str, Any]:
    """Return tqdm's options for where progress goes; `delay`: seconds between two updates there."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and type(ipython.get_ipython()).__name__ == "ZMQInteractiveShell":
        from IPython.display import DisplayHandle

        handle = DisplayHandle()
        handle.display({"text/plain": label}, raw=True)
        return {"file": _Lines(lambda line: handle.update({"text/plain": line}, raw=True)), "delay": 1.0}
    if sys.stderr is not None and sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns - 1  # also right where a terminal does not know its size
        return {"file": sys.stderr, "delay": 0.2, "ncols": columns, "nrows": 20}
    return {"file": _Lines(lambda line: print(line, file=sys.stderr, flush=True)), "delay": 30.0}
