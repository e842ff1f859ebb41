"""While a stage runs: how far it is, and how long all will take."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aligngemini.core import reading, saved_runs
from aligngemini.core.progress import spell

LINE_SECONDS = 30.0
DEFAULT_MINUTES = 1.0


def expected(notebook: str, scale: str, minutes: dict[str, float]) -> float:
    """Return the seconds a stage is expected to take: as last time without interruption, else as planned."""
    for record in reversed(saved_runs.complete(notebook)):
        run = record.manifest["run"]
        if record.params.get("scale") == scale and run["attempts"] == 1:
            return run["seconds"]
    return 60 * minutes.get(notebook, DEFAULT_MINUTES)


def line(title: str, seconds: float, expected: float, after: float, progress: Path) -> str:
    """Return the stage, what it is doing, the time elapsed and the time left of the whole command.

    `seconds` have passed of the `expected` ones, `after` are expected of later stages; `progress` is the file where
    the stage says how far it is, if it has written it yet.
    """
    state = reading.known(progress)
    doing = ""
    if state:
        doing = f": {state['label']}" + (f" {state['done']}/{state['total']}" if state["total"] else "")
    left = max(expected - seconds, state.get("left") or 0) + after
    about = f"about {spell(left)} left" if left > 0 else "longer than last time"
    return f"{title}{doing}, {spell(seconds)} elapsed, {about}"


@contextmanager
def shown(title: str, expected: float, after: float, progress: Path) -> Iterator[None]:
    """Inside, show `line` every second on a terminal, now and then in a log."""
    done, began, live = threading.Event(), time.monotonic(), sys.stdout.isatty()

    def show(text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[2K{text[:width]}" if live else text, end="" if live else "\n", flush=True)

    def watch() -> None:
        while not done.wait(1.0 if live else LINE_SECONDS):
            show(line(title, time.monotonic() - began, expected, after, progress))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if live:
            show("")
