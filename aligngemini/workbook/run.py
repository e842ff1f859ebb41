"""One run: a folder that is filled step by step, survives a kill, and is complete all at once."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from aligngemini.workbook import manifest, paths, records, seeds, stages
from aligngemini.workbook.params import Refused

PART = ".part-"
SHOWN = ("numpy", "pandas", "torch", "transformers", "trl", "peft", "timm", "diffusers")


class Run:
    """A run of one notebook: a working folder while `complete` is False, a finished answer once it is True.

    It has `folder`, `notebook`, `name` (12 hex digits), `params` (dict), `seed`, `scale` and `manifest`.
    """

    def __init__(self, folder: Path, record: dict[str, Any], lock: FileLock | None = None) -> None:
        self.folder, self.manifest, self._lock = folder, record, lock
        self.notebook: str = record["run"]["notebook"]
        self.name: str = record["run"]["name"]
        self.params: dict[str, Any] = record["question"]["params"]
        self.seed: int = self.params["seed"]
        self.scale: str = self.params["scale"]
        self._began = time.monotonic()

    @property
    def complete(self) -> bool:
        """Whether the answer is there; steps of a complete run only read."""
        return self.manifest["run"]["status"] == "complete"

    @property
    def results(self) -> dict[str, Any]:
        """The figures given to `finish`; empty before."""
        return self.manifest["results"]

    @property
    def models(self) -> dict[str, Any]:
        """The models given to `finish`; empty before."""
        return self.manifest["models"]

    @cached_property
    def inputs(self) -> dict[str, "Run"]:
        """The runs this one stands on, label -> Run; they have inputs of their own."""
        entries = self.manifest["question"]["inputs"].items()
        return {label: load(entry["notebook"], entry["run"]) for label, entry in entries}

    def path(self, *parts: str) -> Path:
        """Return the path of a file or folder of this run."""
        return self.folder.joinpath(*parts)

    @property
    def checkpoints(self) -> Path:
        """A folder for trainers' checkpoints; it survives a kill, and `finish` deletes it."""
        folder = self.folder / "checkpoints"
        if not self.complete:
            folder.mkdir(exist_ok=True)
        return folder

    def step(self, name: str, make: Callable[[Path], Any]) -> Path:
        """Return the path of the file or folder `name`, made by `make(path)` if it is not there yet.

        `make` writes to a temporary path with the same suffix, moved when it returns: `name` is never half
        there. Before it, global random generators are seeded from the run's seed and `name`. Raises
        `DiskFull`, and `Refused` where a GPU's memory is too small.
        """
        target = self.path(name)
        if target.exists():
            return target
        if self.complete:
            raise Refused(f"{name} is not part of the complete run {self.name}: make it anew with --force")
        temporary = target.with_name(PART + target.name)
        seeds.seed(self.seed, name, torch=stages.find(self.notebook).torch)
        with manifest.room_on_disk(self.folder), _room_on_card(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(make, temporary, target)
        return target

    def finish(self, results: dict[str, Any], models: dict[str, Any] | None = None) -> pd.DataFrame:
        """Complete the run with its figures and models (name, revision, adapted modules); return the figures.

        The table has a row for each figure and the column `value`, rounded to four digits; the manifest holds all
        digits. A complete run does not change.
        """
        if not self.complete:
            self._complete(manifest.plain(results), manifest.plain(models or {}))
        shown = [round(value, 4) if isinstance(value, float) else value for value in self.results.values()]
        return pd.DataFrame({"value": shown}, index=list(self.results), dtype=object)

    def _complete(self, results: dict[str, Any], models: dict[str, Any]) -> None:
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        clear_parts(self.folder)
        record = self.manifest | {
            "environment": manifest.environment(),
            "models": models,
            "results": results,
            "files": manifest.files(self.folder),
        }
        times = {"finished": now(), "seconds": round(time.monotonic() - self._began, 1)}
        record["run"] = record["run"] | {"status": "complete", **times}
        record = manifest.seal(record)
        manifest.write(self.folder, record)
        home = self.folder.with_name(self.name)
        _replace_folder(self.folder, home)
        self.folder, self.manifest = home, record
        self.close()

    def close(self) -> None:
        """Let go of the run: another process may work on it. `finish` does this itself."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def table(self) -> pd.DataFrame:
        """Folder, status, seed, versions and git state, columns `what` and `value`."""
        environment, run = self.manifest["environment"], self.manifest["run"]
        git = environment["git"]
        versions = environment["packages"]
        packages = [f"{name} {versions[name]}" for name in SHOWN if name in versions]
        inputs = self.manifest["question"]["inputs"].values()
        changed = " and changes" if git["dirty"] else ""
        commit = f"{git['commit'][:12]}{changed}" if git["commit"] else "unknown"
        rows = {
            "folder": paths.short(self.folder),
            "status": run["status"],
            "scale": self.scale,
            "seed": str(self.seed),
            "stands on": ", ".join(f"{entry['notebook']}/{entry['run']}" for entry in inputs),
            "python": environment["python"],
            "packages": ", ".join(packages),
            "commit": commit,
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in self.table.itertuples(index=False)
        )
        return f"<table>{rows}</table>"

    def __repr__(self) -> str:
        return f"Run({self.notebook}/{self.name}, {self.manifest['run']['status']})"


def load(notebook: str, selector: str, scale: str | None = None) -> Run:
    """Return the complete run that `selector` means, see `records.pick`; raises `Refused` if none."""
    record = records.pick(notebook, selector, scale)
    return Run(record.folder, record.manifest)


def clear_parts(folder: Path) -> None:
    """Delete what killed steps left half made."""
    for path in [*folder.glob(f"{PART}*"), *folder.glob(f"*/{PART}*")]:
        remove(path)


@contextmanager
def _room_on_card(name: str) -> Iterator[None]:
    """Turn torch's error of a full GPU into `Refused`, one sentence with what to do next."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # by name: most runs do without torch
            raise
        raise Refused(
            f"{name} does not fit the memory of this GPU: lower the batch size that belongs to it (`aligngemini "
            "rehearse` tells what fits), and run again, what is done is kept"
        ) from error


def _write(make: Callable[[Path], Any], temporary: Path, target: Path) -> None:
    remove(temporary)
    try:
        make(temporary)
        if not temporary.exists():
            raise RuntimeError(f"the step {target.name} wrote nothing to the path it was given")
        temporary.rename(target)
    except BaseException:
        remove(temporary)
        raise


def _replace_folder(new: Path, home: Path) -> None:
    """Move `new` to `home`; an older complete run there goes only when its successor is whole."""
    old = home.with_name(f".{home.name}.old")
    remove(old)
    if home.exists():
        home.rename(old)
    new.rename(home)
    remove(old)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def now() -> str:
    """Return the time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
