"""Whether files are still those whose digests were recorded: sizes first, then digests, each file read once.

What was read is remembered under the built data by name, size and times, so that the next use only looks at these.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from aligngemini.core import fingerprint, json_file, manifest, paths, reading

SETTLED = 2e9  # nanoseconds: a file changed later than that may change again without another time


def damage(folder: Path, files: dict[str, dict[str, Any]]) -> str:
    """Return what is wrong with the `files` under `folder`, listed as by `manifest.files`; '' for nothing."""
    place = _place(folder)
    remembered, whole = reading.known(place), {}
    for name, entry in files.items():
        try:
            facts = _facts(folder / name)
            stamp = [entry["sha256"], fingerprint.digest(facts)]
            if problem := _problem(name, entry, facts):
                return problem
            if remembered.get(name) != stamp and manifest.entry(folder, name)["sha256"] != entry["sha256"]:
                return f"{name} has changed since it was recorded (its size is the same, its digest another)"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if all(abs(time.time_ns() - each) > SETTLED for _, _, *times in facts for each in times):
            whole[name] = stamp
    if whole != remembered:
        with suppress(OSError):  # where nothing can be remembered, the files are read again the next time
            json_file.write(place, whole)
    return ""


def _facts(path: Path) -> list[tuple[str, int, int, int]]:
    """Path, size, times of change of content and of anything (nobody can set that one) of a file, or of all inside."""
    inside = [os.path.join(root, name) for root, _, names in os.walk(path) for name in names]
    stats = [(each, os.stat(each)) for each in ([str(path)] if path.is_file() else sorted(inside))]
    return [(each, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for each, stat in stats]


def _problem(name: str, entry: dict[str, Any], facts: list[tuple[str, int, int, int]]) -> str:
    if "files" in entry and len(facts) != entry["files"]:
        return f"{name} holds {len(facts)} files instead of {entry['files']}"
    if not facts:
        return f"{name} is missing"
    size = sum(fact[1] for fact in facts)
    return f"{name} has {size} bytes instead of {entry['bytes']}" if size != entry["bytes"] else ""


def _place(folder: Path) -> Path:
    name = fingerprint.digest(str(Path(folder).resolve()))[: fingerprint.LENGTH]
    return paths.built() / "verified" / f"{name}.json"
