"""The runs of all notebooks: one is started or resumed, listed, or marked as failed."""

import os
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from aligngemini.core import atomic, manifest, paths, run_spec, seeds, stages
from aligngemini.core.params import Params, Refused
from aligngemini.core.progress import say, spell
from aligngemini.core.run import Run, now
from aligngemini.core.run_spec import RunSpec
from aligngemini.core.saved_runs import find, load

__all__ = ["Run", "all", "find", "load", "mark_failed", "start"]

FORCE = "ALIGNGEMINI_FORCE"  # names the one run to make again though it is complete
OUTPUTS = "--outputs or ALIGNGEMINI_OUTPUTS"
NOTICE_SECONDS = 30
_working: dict[Path, Run] = {}


def start(notebook: str, cfg: Params) -> Run:
    """Open the run of `notebook` with `cfg`: a working folder, or the complete run if it is there.

    Its `inputs` are the runs that the parameters select, labelled "data", "vlm", "expert", "fusion", "vlm 1", … Only
    one process works on a run; others wait here until it is complete. Raises `Refused` if an upstream run is missing or
    damaged or nothing can be written, `DiskFull`.
    """
    spec = run_spec.make(notebook, cfg)
    if spec.partial in _working:  # the cell was run again in this very process
        _working.pop(spec.partial).close()
    forced = os.environ.get(FORCE) == spec.name
    lock = None if spec.home.exists() and not forced else _wait(spec)
    if spec.home.exists() and not forced:
        if lock:
            lock.release()
        return Run(spec.home, load(notebook, spec.name).manifest)
    if forced:
        atomic.remove(spec.partial)
    run = _working[spec.partial] = Run(spec.partial, _begin(spec), lock)
    seeds.seed(cfg.seed, notebook, torch=stages.find(notebook).torch)
    return run


def _wait(spec: RunSpec) -> FileLock:
    paths.writable(spec.home.parent, OUTPUTS, spec.lock.name)
    paths.writable(spec.partial, OUTPUTS)
    with manifest.room_on_disk(spec.home):
        spec.home.parent.mkdir(parents=True, exist_ok=True)
    lock, patience = FileLock(spec.lock), 0
    while True:
        try:
            lock.acquire(timeout=patience, poll_interval=0.2)
            return lock
        except Timeout:
            patience = NOTICE_SECONDS
            say(_waiting(spec))
        except OSError as error:
            why = f"{paths.short(spec.lock.parent)} lies on a file system that cannot lock files ({error.strerror})"
            raise Refused(f"{why}: two processes could spoil a run; choose another place with {OUTPUTS}") from error


def _waiting(spec: RunSpec) -> str:
    """Whom this process waits for, and how long that one has been at work."""
    holder = (manifest.read(spec.partial) or {"run": {}})["run"].get("process") or {}
    since = holder.get("since", now())
    long = spell((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    who = f"process {holder['pid']} on {holder['host']} has been at it for {long}" if holder else "it has just begun"
    return f"waiting, another process makes {paths.short(spec.home)}: {who}"


def _begin(spec: RunSpec) -> dict[str, Any]:
    """Make or resume the working folder; its manifest says `running` from the start: a kill can be seen."""
    earlier = manifest.read(spec.partial) or {"run": {"started": now(), "attempts": 0}}
    record = manifest.new(spec.notebook, spec.name, spec.block) | {"made": earlier.get("made", {})}
    record["run"] |= {"status": "running", "started": earlier["run"]["started"]}
    record["run"]["process"] = {"pid": os.getpid(), "host": platform.node(), "since": now()}  # for those who wait
    record["run"]["attempts"] = earlier["run"]["attempts"] + 1
    with manifest.room_on_disk(spec.partial):
        spec.partial.mkdir(exist_ok=True)
    atomic.clear(spec.partial)
    manifest.write(spec.partial, record)
    return record


def all() -> list[dict[str, Any]]:
    """Return the manifests of all runs, oldest first, each with its `folder` in the block `run`.

    Status is complete, running, failed, killed (was running, no process holds it) or unreadable (with `error`).
    """
    folders = [p for name in stages.STAGES for p in sorted((paths.outputs() / name).glob("*")) if p.is_dir()]
    records = [_state(p) for p in folders if p.name[0] != "." or p.name.endswith(".partial")]
    return sorted(records, key=lambda record: record["run"].get("started") or "")


def _state(folder: Path) -> dict[str, Any]:
    record = manifest.read(folder)
    name = folder.name.removeprefix(".").removesuffix(".partial")
    if record is None:
        record = manifest.new(folder.parent.name, name, {"params": {}, "inputs": {}})
        record["run"] |= {"status": "unreadable", "error": "its manifest cannot be read"}
    elif folder.name[0] == "." and record["run"]["status"] != "failed":
        record["run"]["status"] = "running" if _held(folder.with_name(f".{name}.lock")) else "killed"
    # Where it lies is what it is; what a manifest says may have been altered.
    record["run"] |= {"folder": str(folder), "notebook": folder.parent.name, "name": name}
    return record


def _held(path: Path) -> bool:
    """Whether another process holds the lock."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # in a folder that is only read, or that cannot lock, no process works
        return False


def mark_failed(spec: RunSpec, sentence: str, executed: Path) -> Path:
    """Keep a failed stage's executed notebook, say why in the manifest; return where the notebook lies.

    It goes into the working folder. A run that was complete before the notebook failed stays complete, and if
    another process holds the run nothing is touched.
    """
    if spec.home.exists() and not spec.partial.exists():
        return Path(shutil.move(executed, spec.home / "failed.ipynb"))
    if _held(spec.lock):
        return executed
    record = manifest.read(spec.partial) or _begin(spec)
    record["run"] |= {"status": "failed", "finished": now(), "error": sentence}
    with manifest.room_on_disk(spec.partial):
        manifest.write(spec.partial, record)
        return Path(shutil.move(executed, spec.partial / "notebook.ipynb"))
