"""The manifest of a run, `manifest.json`: what was asked, in which environment, and what came out."""

import errno
import math
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from aligngemini.core import devices, fingerprint, json_file, paths, reading

NAME = "manifest.json"
# Made after the answer, or about it: no part of what `files` lists.
APART = (NAME, "notebook.ipynb", "failed.ipynb")
FOLD = 50  # folders with more files than this get one line in the manifest
NUMBER = (int, float)
ALONE = "even one image at a time is too much"  # the note of an error of memory that no smaller batch helps against
NO_MEMORY = ("MPS backend out of memory", "DefaultCPUAllocator: can't allocate memory")  # of errors without own type
# What the parts of a manifest must be: a type, names with what they must be, or [what all values must be].
PARTS = {
    "run": {"notebook": str, "name": str, "status": str, "started": str, "attempts": int},
    "question": {"params": {"scale": str, "seed": int}, "inputs": [{"notebook": str, "run": str}]},
    "environment": {"packages": [str], "git": {}},
    "models": {},
    "results": {},
    "files": [{"sha256": str, "bytes": int}],
}
MADE = [str]  # what `made` is, if a manifest has it: of what is computed, name -> key (see keys.of)
# What these parts may have besides.
MORE = {
    "run": {"finished": str, "seconds": NUMBER, "error": str, "process": {"pid": int, "host": str, "since": str}},
    "question": {"sources": [str]},
    "environment": {"machine": {}},
}


class DiskFull(RuntimeError):
    """The disk is full. What was written whole stays; the same command continues from there."""


@contextmanager
def room_on_disk(folder: Path, option: str = "--outputs", temporary: Path | None = None) -> Iterator[None]:
    """Turn "no space left" under `folder` into `DiskFull`, one sentence with what to do next.

    `option` is what puts the files on another disk. `temporary`: where the same work keeps temporary files, if it does;
    the disk with less free space is the full one.
    """
    try:
        yield
    except Exception as error:
        if not no_space(error):
            raise
        free = {(folder, option): _free(folder)}
        if temporary:
            free[temporary, "TMPDIR"] = _free(temporary)
        full, option = min(free, key=free.__getitem__)
        raise DiskFull(
            f"no space left for {paths.short(full)} ({free[full, option] / 2**20:.0f} MB free): free some, or choose "
            f"another disk with {option}, then run the same command again, it continues where it stopped"
        ) from error


def _free(folder: Path) -> int:
    """Return the free bytes on the disk of a folder that may not be there yet."""
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free


def no_space(error: Exception) -> bool:
    """Tell whether the disk was full; libraries written in C++ and Rust say so only in words."""
    code = getattr(error, "errno", None)
    # The last two are all that torch.save says where a write was cut short.
    words = ("No space left on device", "os error 28", "Disk quota exceeded", "unexpected pos", "iostream error")
    return code in (errno.ENOSPC, errno.EDQUOT) or any(word in str(error) for word in words)


def no_memory(error: BaseException) -> bool:
    """Tell whether an error says that the memory of the machine or of its GPU is too small."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's: most runs have none
    return known or any(words in str(error) for words in NO_MEMORY)


def new(notebook: str, name: str, block: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a run that has no status and no results yet; `block` says what was asked."""
    return {
        "run": {"notebook": notebook, "name": name},
        "question": block,
        "environment": environment(),
        "models": {},
        "results": {},
        "files": {},
    }


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest` into `folder`, all or nothing; raises `DiskFull`."""
    with room_on_disk(folder):
        json_file.write(folder / NAME, manifest)


def read(folder: Path) -> dict[str, Any] | None:
    """Return the manifest in `folder`, or None where it is missing, damaged or not a manifest."""
    try:
        manifest = reading.json(folder / NAME)
    except (OSError, ValueError):
        return None
    if not fits(manifest, PARTS) or not fits(manifest.get("made", {}), MADE):
        return None
    timed = manifest["run"]["status"] != "complete" or "finished" in manifest["run"]
    more = [
        (manifest[part][name], form) for part in MORE for name, form in MORE[part].items() if name in manifest[part]
    ]
    return manifest if timed and all(fits(value, form) for value, form in more) else None


def seal(record: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest with a digest of all its parts, which `sealed` compares."""
    return record | {"digest": fingerprint.digest(record)}


def sealed(record: dict[str, Any]) -> bool:
    """Tell whether a manifest is the one that `seal` gave; manifests without a digest are not."""
    parts = {name: part for name, part in record.items() if name != "digest"}
    try:
        return record.get("digest") == fingerprint.digest(parts)
    except ValueError:  # NaN or half characters, which no run writes
        return False


def fits(value: Any, form: Any) -> bool:
    """Tell whether a value out of JSON has a form as in PARTS."""
    if isinstance(form, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], form[name]) for name in form)
    if isinstance(form, list):
        return isinstance(value, dict) and all(fits(each, form[0]) for each in value.values())
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, form) and not isinstance(value, bool)


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name -> `entry` of a run's files; a folder of more than 50 is one entry, its name ends with a slash."""
    names = [name for name in fingerprint.inside(folder) if name not in APART]
    inside = Counter(name.split("/")[0] + "/" for name in names if "/" in name)
    large = [top for top, count in inside.items() if count > FOLD]
    single = [name for name in names if not name.startswith(tuple(large))]
    return {name: entry(folder, name) for name in [*single, *large]}


def entry(folder: Path, name: str) -> dict[str, Any]:
    """Return {sha256, bytes} of the file `name` under `folder`; of all files in it, with their count, for "name/"."""
    path = os.path.join(folder, name)  # there are thousands, for which Path takes most of the time
    if not name.endswith("/"):
        return {"sha256": fingerprint.of_file(path), "bytes": os.path.getsize(path)}
    inside = {name + each: entry(folder, name + each) for each in fingerprint.inside(path)}
    size = sum(each["bytes"] for each in inside.values())
    return {"sha256": fingerprint.digest(inside), "bytes": size, "files": len(inside)}


def environment() -> dict[str, Any]:
    """Return versions of what the project depends on, Python, machine, accelerator and the state of the checkout."""
    commit = git("rev-parse", "HEAD")
    required = metadata.requires("aligngemini") or [] if _version("aligngemini") else []
    return {
        # ";" begins the condition of an extra
        "packages": {name: version for name in required if ";" not in name and (version := _version(name))},
        "python": platform.python_version(),
        "machine": {
            "platform": platform.platform(),
            "processors": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        },
        # torch is not imported here: it costs seconds that a fusion run does not have to spend
        "accelerator": (devices.name() or None) if "torch" in sys.modules else None,
        "git": {"commit": commit or None, "dirty": bool(git("status", "--porcelain")) if commit else None},
    }


@cache  # what is installed is asked for by every run
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git(*words: str) -> str:
    """Return what git answers in the repository, '' where it fails or there is none."""
    try:
        done = subprocess.run(["git", *words], cwd=paths.ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
