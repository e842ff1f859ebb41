"""One run: a folder that is filled piece by piece, survives a kill, and is complete all at once.

Two verbs fill it: `compute` keeps what takes long, `save` what a cell has at hand.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from aligngemini.core import atomic, filling, json_file, keys, manifest, paths, stages, values, verified
from aligngemini.core.params import Refused
from aligngemini.core.progress import spell
from aligngemini.core.saved_runs import SavedRun, load

MADE, AGAIN, REUSED = "made", "made again", "reused"
QUICK = 2  # seconds: of what takes less nobody has to know how long it took


class Run(SavedRun):
    """A run of one notebook: a working folder while `complete` is False, read-only once it is True."""

    def __init__(self, folder: Path, record: dict[str, Any], lock: FileLock | None = None) -> None:
        super().__init__(folder, record)
        self._lock, self._began = lock, time.monotonic()
        self._depth = 0  # of computations within computations, which print nothing

    @property
    def made(self) -> dict[str, str]:
        """The keys of what was computed: name -> what `keys.of` gave. What is there under a name is whole."""
        return self.manifest.get("made", {})

    @property
    def checkpoints(self) -> Path:
        """A folder for trainers' checkpoints; it survives a kill, and `finish` deletes it."""
        folder = self.folder / "checkpoints"
        if not self.complete:
            folder.mkdir(exist_ok=True)
        return folder

    def compute(self, name: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """Return what `function` computes from these arguments; it is computed once, and kept in the run as `name`.

        With a suffix (see `values`) the function returns the value, and what comes back is read from the file. Without
        one, `name` is a folder: the function fills it, its path being the last positional argument, and it comes back.
        The global random generators are seeded from the run's seed and `name` before the function, and at the end.
        What was made by another function, or from other arguments, is made again; a complete run refuses that. Raises
        `DiskFull`, and `Refused` where memory is too small.
        """
        values.check(name)
        began, key, word = time.monotonic(), keys.of(self, function, args, kwargs), REUSED
        before = self.made.get(name)
        if not self._is_whole(name) or (before != key and not (self.complete and before is None)):
            self._must_be_open(name)
            word = MADE if before in (None, key) else AGAIN
            with self._making(name, key):
                torch = stages.find(self.notebook).torch
                filling.fill(self.path(name), name, self.seed, torch, function, args, kwargs)
        self._print(name, word, time.monotonic() - began)
        return filling.filled(self.path(name), name, self.seed)

    def save(self, name: str, value: Any) -> Any:
        """Keep a table, a JSON value or a text as the file `name` (see `values`); return it as it is read from there.

        The newest counts, until the run is complete: then another value than the one kept is refused. Raises DiskFull.
        """
        target, data = self.path(name), values.dump(value, self.path(name))
        given = values.parse(data, target)
        if self._is_whole(name) and values.same(saved := values.read(target), given):
            self._print(name, REUSED)
            return saved
        self._must_be_open(name)
        with manifest.room_on_disk(self.folder):
            atomic.write(target, data)
        self._note(name)
        self._print(name, MADE)
        return given

    def finish(self, results: dict[str, Any], models: dict[str, Any] | None = None) -> pd.DataFrame:
        """Complete the run with its figures and models (name, revision, adapted modules); return the figures.

        The table has a row for each figure and the column `value`, rounded to four digits; the manifest holds all
        digits. A complete run does not change. Raises `Refused` where data, a model or a run that this one stands on is
        another than when it began.
        """
        if not self.complete:
            self._check_inputs()
            self._complete(json_file.plain(results), json_file.plain(models or {}))
        rounded = [round(value, 4) if isinstance(value, float) else value for value in self.results.values()]
        return pd.DataFrame({"value": rounded}, index=list(self.results), dtype=object)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Print no line for what is computed or saved within: for a loop that shows its own progress."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def close(self) -> None:
        """Let go of the run: another process may work on it. `finish` does this itself."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _is_whole(self, name: str) -> bool:
        """Whether something is there as `name`; what a power cut has damaged does not count."""
        path = self.path(name)
        if self.complete or not path.is_file():
            return path.exists()
        try:
            values.read(path)
        except Refused:
            return False
        return True

    def _must_be_open(self, name: str) -> None:
        if not self.complete:
            return
        if not self.path(name).exists():
            raise Refused(f"{name} is not part of the complete run {self.name}: make it anew with --force")
        raise Refused(
            f"run {self.name} is complete and holds another {name}: run with --force, or change a parameter to get "
            "a run of its own"
        )

    @contextmanager
    def _making(self, name: str, key: str) -> Iterator[None]:
        """Let `name` be made with `key`: nothing is left of what had another, so that what is there has this one."""
        if self.made.get(name, key) != key:
            atomic.remove(self.checkpoints)  # to go on from there would be to go on with what has changed
            self.checkpoints.mkdir(exist_ok=True)
        atomic.remove(self.path(name))
        self._note(name, key)
        with self.silent(), manifest.room_on_disk(self.folder), _enough_memory(name, self.params):
            yield

    def _note(self, name: str, key: str = "") -> None:
        """Write the key of `name` into the manifest, or that it has none."""
        made = {each: old for each, old in self.made.items() if each != name} | ({name: key} if key else {})
        if made != self.made:
            self.manifest |= {"made": made}
            manifest.write(self.folder, self.manifest)

    def _print(self, name: str, word: str, seconds: float = 0.0) -> None:
        """Print what was done, unless it was done within another computation."""
        if self._depth:
            return
        long = f" in {spell(seconds) if seconds >= 60 else f'{seconds:.0f} s'}" if seconds >= QUICK else ""
        why = ": its cell or what it is given has changed" if word == AGAIN else ""
        print(f"{name}: {word}{'' if word == REUSED else long}{why}", flush=True)

    def _check_inputs(self) -> None:
        """Raise `Refused` if what the run was made from has changed on the way."""
        question = self.manifest["question"]
        for problem in verified.sources(question.get("sources", {})):
            raise Refused(
                f"{problem} since this run began, so its results belong to neither state: run again, which makes a new "
                f"run, and delete {paths.short(self.folder)}"
            )
        for entry in question["inputs"].values():
            load(entry["notebook"], entry["run"])

    def _complete(self, results: dict[str, Any], models: dict[str, Any]) -> None:
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        atomic.clear(self.folder)
        run = {name: value for name, value in self.manifest["run"].items() if name != "process"}
        ended = {"status": "complete", "finished": now(), "seconds": round(time.monotonic() - self._began, 1)}
        parts = {
            "run": run | ended,
            "made": {name: key for name, key in self.made.items() if self.path(name).exists()},
            "environment": manifest.environment(),
            "models": models,
            "results": results,
            "files": manifest.files(self.folder),
        }
        record = manifest.seal(self.manifest | parts)
        manifest.write(self.folder, record)
        self.folder, self.manifest = atomic.move(self.folder, self.folder.with_name(self.name)), record
        self.close()


@contextmanager
def _enough_memory(name: str, params: dict[str, Any]) -> Iterator[None]:
    """Turn errors of a full memory into `Refused`, one sentence that names the setting and a smaller value."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not manifest.no_memory(error):
            raise
        advice = f"{manifest.ALONE}: choose a smaller model, or a machine with more memory"
        if manifest.ALONE not in getattr(error, "__notes__", ()):
            advice = f"lower the batch size{_lower(params)} (`aligngemini rehearse` tells what fits)"
        place = "machine" if isinstance(error, MemoryError) else "GPU"
        raise Refused(f"{name} does not fit the memory of this {place}: {advice}") from error


def _lower(params: dict[str, Any]) -> str:
    """Half of each batch size of a training among `params`, as the command line takes it; scoring halves by itself."""
    sizes = [(name, size) for name, size in params.items() if name in ("batch_size", "batch_pairs") and size > 1]
    return "".join(f", with -p {name} {size // 2} instead of {size}" for name, size in sizes)


def now() -> str:
    """Return the time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
