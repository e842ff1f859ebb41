"""The runs of all notebooks: one is started or resumed, found, listed, or marked as failed."""

import platform
import shutil
import time
from os import environ, getpid
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from aligngemini.core import atomic, manifest, paths, seeds, stages
from aligngemini.core.params import Params
from aligngemini.core.progress import say, spell
from aligngemini.core.questions import Question, question
from aligngemini.core.run import Run, load, now

__all__ = ["Run", "all", "load", "mark_failed", "question", "start"]

FORCE = "ALIGNGEMINI_FORCE"  # names the one run to answer anew though it is complete
OUTPUTS = "--outputs or ALIGNGEMINI_OUTPUTS"
NOTICE_SECONDS = 30
_working: dict[Path, Run] = {}


def start(notebook: str, cfg: Params, needs: dict[str, tuple[str, str]] | None = None) -> Run:
    """Open the run that answers `cfg` in `notebook`: a working folder, or the complete answer if it is there.

    `needs`: label -> (upstream notebook, selector); by default what the parameters select, labelled "data",
    "vlm", "expert", "fusion", "vlm 1", … Only one process works on a run; others wait here until it is
    complete. Raises `Refused` if an upstream run is missing or damaged or nothing can be written, `DiskFull`.
    """
    asked = question(notebook, cfg, needs)
    if asked.partial in _working:  # the cell was run again in this very process
        _working.pop(asked.partial).close()
    forced = environ.get(FORCE) == asked.name
    if asked.home.exists() and not forced:
        return load(notebook, asked.name)
    lock = _wait(asked)
    if asked.home.exists() and not forced:
        lock.release()
        return load(notebook, asked.name)
    run = Run(asked.partial, _begin(asked, forced), lock)
    _working[asked.partial] = run
    seeds.seed(cfg.seed, notebook, torch=stages.find(notebook).torch)
    return run


def _wait(asked: Question) -> FileLock:
    paths.writable(asked.home.parent, OUTPUTS, asked.lock.name)
    paths.writable(asked.partial, OUTPUTS)
    with manifest.room_on_disk(asked.home):
        asked.home.parent.mkdir(parents=True, exist_ok=True)
    lock, began, patience = FileLock(asked.lock), time.monotonic(), 0
    while True:
        try:
            lock.acquire(timeout=patience, poll_interval=0.2)
            return lock
        except Timeout:
            patience = NOTICE_SECONDS
            say(f"waiting {spell(time.monotonic() - began)}, {_maker(asked)} makes {paths.short(asked.home)}")


def _maker(asked: Question) -> str:
    """The process that makes a run, as the manifest of its working folder says."""
    holder = (manifest.read(asked.partial) or {"run": {}})["run"].get("holder")
    return "process {pid} on {host}, since {since},".format(**holder) if holder else "another process"


def _begin(asked: Question, forced: bool) -> dict[str, Any]:
    """Make or resume the working folder; its manifest says `running` from the start: a kill can be seen."""
    if forced:
        atomic.remove(asked.partial)
    earlier = manifest.read(asked.partial)
    record = manifest.new(asked.notebook, asked.name, asked.block)
    record["run"] |= {"status": "running", "started": now(), "attempts": 1}
    record["run"]["holder"] = {"pid": getpid(), "host": platform.node(), "since": now()}
    if earlier:
        record["run"] |= {"started": earlier["run"]["started"], "attempts": earlier["run"]["attempts"] + 1}
        record["made"] = earlier.get("made", {})
    with manifest.room_on_disk(asked.partial):
        asked.partial.mkdir(exist_ok=True)
    atomic.clear(asked.partial)
    manifest.write(asked.partial, record)
    return record


def all() -> list[dict[str, Any]]:
    """Return the manifests of all runs, oldest first, each with its `folder` in the block `run`.

    Status is complete, running, failed, killed (was running, nobody holds it) or unreadable (with `error`).
    """
    found = [_seen(folder) for notebook in stages.STAGES for folder in _folders(notebook)]
    return sorted(found, key=lambda record: record["run"].get("started") or "")


def _folders(notebook: str) -> list[Path]:
    home = paths.outputs() / notebook
    folders = sorted(p for p in home.iterdir() if p.is_dir()) if home.is_dir() else []
    return [p for p in folders if p.name[0] != "." or p.name.endswith(".partial")]


def _seen(folder: Path) -> dict[str, Any]:
    record = manifest.read(folder)
    name = folder.name.removeprefix(".").removesuffix(".partial")
    if record is None:
        record = manifest.new(folder.parent.name, name, {"params": {}, "inputs": {}})
        record["run"] |= {"status": "unreadable", "error": "its manifest cannot be read"}
    elif folder.name[0] == "." and record["run"]["status"] != "failed":
        record["run"]["status"] = "running" if _held(folder.with_name(f".{name}.lock")) else "killed"
    record["run"]["folder"] = str(folder)
    return record


def _held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except PermissionError:  # in a folder that is only read nobody works
        return False
    lock.release()
    return False


def mark_failed(asked: Question, sentence: str, executed: Path) -> Path:
    """Keep a failed stage's executed notebook, say why in the manifest; return where the notebook lies.

    It goes into the working folder. A run that was complete before the notebook failed stays complete, and if
    another process holds the run nothing is touched.
    """
    if asked.home.exists() and not asked.partial.exists():
        return Path(shutil.move(executed, asked.home / "failed.ipynb"))
    if _held(asked.lock):
        return executed
    record = manifest.read(asked.partial) or _begin(asked, forced=False)
    record["run"] |= {"status": "failed", "finished": now(), "error": sentence}
    with manifest.room_on_disk(asked.partial):
        manifest.write(asked.partial, record)
        return Path(shutil.move(executed, asked.partial / "notebook.ipynb"))
