"""The runner's voice: while a stage goes on, how far it is and how long all will take."""

import shutil
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from aligngemini.core import reading, records
from aligngemini.core.progress import spell

LINE_SECONDS = 30.0
DEFAULT_MINUTES = 1.0


def expected(notebook: str, scale: str, minutes: dict[str, float]) -> float:
    """Return the seconds a stage is expected to take: as last time without interruption, else as planned."""
    for record in reversed(records.complete(notebook)):
        run = record.manifest["run"]
        if record.params.get("scale") == scale and run["attempts"] == 1:
            return run["seconds"]
    return 60 * minutes.get(notebook, DEFAULT_MINUTES)


class Status:
    """Shows how a stage goes while used as a context; `after`: seconds expected for the later stages."""

    def __init__(self, title: str, expected: float, after: float, progress: Path) -> None:
        self.title, self.expected, self.after, self.progress = title, expected, after, progress
        self.began = time.monotonic()
        self._done = threading.Event()
        self._live = sys.stdout.isatty()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self.began

    def line(self) -> str:
        """Return the stage, what it is doing, the time elapsed and the time left of the whole command."""
        state = reading.known(self.progress)  # the stage may not have written it yet
        doing = ""
        if state:
            doing = f": {state['label']}" + (f" {state['done']}/{state['total']}" if state["total"] else "")
        left = max(self.expected - self.seconds, state.get("left") or 0) + self.after
        about = f"about {spell(left)} left" if left > 0 else "longer than last time"
        return f"{self.title}{doing}, {spell(self.seconds)} elapsed, {about}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        if self._live:
            print("\r\x1b[2K", end="", flush=True)
        self.progress.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._done.wait(1.0 if self._live else LINE_SECONDS):
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                print("\r\x1b[2K" + self.line()[:width], end="", flush=True)
            else:
                print(self.line(), flush=True)
