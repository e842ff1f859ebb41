"""While notebooks run: how far each is, and how long all will take. tqdm places the lines on a terminal."""

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from aligngemini.core import reading, saved_runs
from aligngemini.core.progress import spell

TERMINAL_SECONDS, LINE_SECONDS = 1.0, 30.0
DEFAULT_MINUTES = 1.0


def expected(notebook: str, scale: str, minutes: dict[str, float]) -> float:
    """Return the seconds a stage is expected to take: as last time without interruption, else as planned."""
    for record in reversed(saved_runs.complete(notebook)):
        run = record.manifest["run"]
        if record.params.get("scale") == scale and run["attempts"] == 1:
            return run["seconds"]
    return 60 * minutes.get(notebook, DEFAULT_MINUTES)


def line(title: str, seconds: float, left: float, progress: Path) -> str:
    """Return the stage, what it is doing, the time elapsed and the time left of the whole command.

    `seconds` have passed, `left` are expected of the whole command; `progress` is the file where the stage says how
    far it is, if it has written it yet.
    """
    state = reading.known(progress)
    doing = ""
    if state:
        doing = f": {state['label']}" + (f" {state['done']}/{state['total']}" if state["total"] else "")
    about = f"about {spell(left)} left" if left > 0 else "longer than expected"
    return f"{title}{doing}, {spell(seconds)} elapsed, {about}"


def say(text: str) -> None:
    """Print a line, above those of notebooks that run."""
    with tqdm.external_write_mode(file=sys.stdout):
        print(text, flush=True)


@contextmanager
def shown(text: Callable[[], str], place: int) -> Iterator[None]:
    """Inside, show `text()` every second on a terminal, at `place` (from 0) of its lines; now and then in a log."""
    done, live = threading.Event(), sys.stdout.isatty()
    options = {"file": sys.stdout, "position": place, "leave": False, "bar_format": "{desc}"}
    # Also right where a terminal does not know its size.
    bar = tqdm(**options, ncols=shutil.get_terminal_size().columns - 1, nrows=20, disable=not live)

    def watch() -> None:
        while not done.wait(TERMINAL_SECONDS if live else LINE_SECONDS):
            bar.set_description_str(text()) if live else say(text())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        bar.close()
