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


def damage(folder: Path, record: dict[str, Any]) -> str:
    """Return what is wrong with the files under `folder`, listed in `record` as by `manifest.files`; '' for nothing."""
    place = _place(folder)
    known, found = reading.known(place), {}
    for name, entry in record.get("files", {}).items():
        try:
            stamps = _stamps(folder / name)
            stamp = [entry["sha256"], fingerprint.digest(stamps)]
            problem = _shape(name, entry, stamps) or ("" if known.get(name) == stamp else _content(folder, name, entry))
        except OSError as error:
            problem = f"{name} cannot be read ({error.strerror})"
        if problem:
            return problem
        if all(abs(time.time_ns() - each) > SETTLED for _, _, *times in stamps for each in times):
            found[name] = stamp
    if found != known:
        _remember(place, found)
    return ""


def _stamps(path: Path) -> list[tuple[str, int, int, int]]:
    """Path, size, times of change of content and of anything (nobody can set that one) of a file, or of all inside."""
    inside = [os.path.join(root, name) for root, _, names in os.walk(path) for name in names]
    facts = [(each, os.stat(each)) for each in ([str(path)] if path.is_file() else sorted(inside))]
    return [(each, fact.st_size, fact.st_mtime_ns, fact.st_ctime_ns) for each, fact in facts]


def _shape(name: str, entry: dict[str, Any], stamps: list[tuple[str, int, int, int]]) -> str:
    if "files" in entry and len(stamps) != entry["files"]:
        return f"{name} holds {len(stamps)} files instead of {entry['files']}"
    if not stamps:
        return f"{name} is missing"
    size = sum(stamp[1] for stamp in stamps)
    return f"{name} has {size} bytes instead of {entry['bytes']}" if size != entry["bytes"] else ""


def _content(folder: Path, name: str, entry: dict[str, Any]) -> str:
    same = manifest.entry(folder, name)["sha256"] == entry["sha256"]
    return "" if same else f"{name} has changed since it was recorded (its size is the same, its digest another)"


def _place(folder: Path) -> Path:
    name = fingerprint.digest(str(Path(folder).resolve()))[: fingerprint.LENGTH]
    return paths.built() / "verified" / f"{name}.json"


def _remember(place: Path, found: dict[str, list[str]]) -> None:
    """Write all or nothing; where that cannot be, the files are read again the next time."""
    with suppress(OSError):
        json_file.write(place, found)
