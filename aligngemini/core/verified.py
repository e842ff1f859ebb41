"""Whether files are still those whose digests were recorded: sizes first, then digests, each file read once.

What was read is remembered under the built data by name, size and times, so that the next use only looks at these.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from aligngemini.core import fingerprint, json_file, manifest, paths, reading

SETTLED = 2e9  # nanoseconds: a file changed later than that may change again without another time


def damage(folder: Path, files: dict[str, dict[str, Any]]) -> str:
    """Return what is wrong with the first of `files` that has changed, '' for nothing; see `problems`."""
    return next(problems(folder, files), "")


def problems(folder: Path, files: dict[str, dict[str, Any]], again: bool = False) -> Iterator[str]:
    """Yield what is wrong with the `files` under `folder`, listed as by `manifest.files`; `again`: read all of them."""
    place = _place(folder)
    remembered, whole = {} if again else reading.known(place), {}
    for name, entry in files.items():
        try:
            facts = _facts(folder / name)
            stamp = [entry["sha256"], fingerprint.digest(facts)]
            if problem := _problem(folder, name, entry, facts, remembered.get(name) == stamp):
                yield problem
                continue
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"
            continue
        if all(abs(time.time_ns() - each) > SETTLED for _, _, *times in facts for each in times):
            whole[name] = stamp
    if whole != remembered:
        with suppress(OSError):  # where nothing can be remembered, the files are read again the next time
            json_file.write(place, whole)


def sources(recorded: dict[str, str]) -> Iterator[str]:
    """Yield which folders, models and files are not those of a manifest's `sources` any more."""
    for text, digest in recorded.items():
        path = paths.resolve(text)
        if not path.exists():
            yield f"{text} is gone"
        elif fingerprint.of_source(path) != digest:
            yield f"{text} has changed"


def _facts(path: Path) -> list[tuple[str, int, int, int]]:
    """Path, size, times of change of content and of anything (nobody can set that one) of a file, or of all inside."""
    inside = [os.path.join(root, name) for root, _, names in os.walk(path) for name in names]
    stats = [(each, os.stat(each)) for each in ([str(path)] if path.is_file() else sorted(inside))]
    return [(each, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for each, stat in stats]


def _problem(
    folder: Path, name: str, entry: dict[str, Any], facts: list[tuple[str, int, int, int]], known: bool
) -> str:
    """What is wrong with one file or folder, '' for nothing; `known`: its content has been read and was right."""
    if "files" in entry and len(facts) != entry["files"]:
        return f"{name} holds {len(facts)} files instead of {entry['files']}"
    if not facts:
        return f"{name} is missing"
    if (size := sum(fact[1] for fact in facts)) != entry["bytes"]:
        return f"{name} has {size} bytes instead of {entry['bytes']}"
    if known or manifest.entry(folder, name)["sha256"] == entry["sha256"]:
        return ""
    return f"{name} has changed since it was recorded (its size is the same, its digest another)"


def _place(folder: Path) -> Path:
    name = fingerprint.digest(str(Path(folder).resolve()))[: fingerprint.LENGTH]
    return paths.built() / "verified" / f"{name}.json"
