"""What was found out about files before: one small Parquet file per scanned folder, under the built data."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.core import caches, fingerprint, paths
from aligngemini.core.progress import progress

from .. import decode, header
from ..filenames import true

STAMP = ["size", "mtime_ns"]
FACTS = ["image_id", "format", "jpeg_quality", "width", "height", "reason"]
CHUNK = 20_000  # files between two writes: so much of a first scan is lost when it is killed


class Reading(NamedTuple):
    """A way to read a file: `look(path)` gives `columns`, the first of them empty where it could not; `code` names the
    modules that the answer depends on, with all that they import; no two readings name the same.
    """

    look: Callable[[str], dict]
    columns: list[str]
    code: tuple[str, ...]


IDENTITY = Reading(lambda path: decode.identify(path), FACTS, ("aligngemini.images.decode",))


def facts(
    root: str | Path, files: Iterable[str], label: str, workers: int = 2, reading: Reading = IDENTITY
) -> pd.DataFrame:
    """What `reading` finds in `files`, one row each, by path; only new and changed files are read.

    A file is the same as before if its size and time of change are. What could not be read at all, and what is
    remembered by other code, is read again; a damaged memory is no memory. `root` names the memory.
    """
    place = where(root, reading)
    now = pd.DataFrame([_stamp(path) for path in sorted(files)], columns=["path", *STAMP]).set_index("path")
    known = _recalled(place, reading.columns)
    met = known.loc[known.index.intersection(now.index)]
    kept = met[met[STAMP].eq(now.loc[met.index]).all(axis=1)]
    fresh = now.index.difference(kept.index)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        read = progress(_looked(pool, reading.look, fresh), label, total=len(fresh)) if len(fresh) else iter(())
        while part := list(islice(read, CHUNK)):
            made = pd.DataFrame(part, index=fresh[: len(part)]).join(now)
            fresh = fresh[len(part) :]
            kept = pd.concat([kept, made]) if len(kept) else made
            every = pd.concat([known[~known.index.isin(kept.index)], kept]) if len(known) else kept
            _remember(place, every[every[reading.columns[0]].map(bool)])
    return kept[reading.columns]


def added(rows: pd.DataFrame, readings: list[tuple], blank: dict, workers: int) -> pd.DataFrame:
    """`rows` (path, root, reason) with the columns of `blank`, which says what stands where a file was not read.

    Rows without a reason are looked at, each path once: `readings` are a Reading, the paths it is for, and a label.
    """
    usable = rows[rows["reason"] == ""]
    parts = [
        facts(root, files, label, workers, reading)
        for root, same in usable.groupby("root", sort=False)["path"]
        for reading, chosen, label in readings
        if (files := {path for path in same if path in chosen})
    ]
    found = pd.concat([pd.DataFrame(columns=list(blank)), *parts])
    found = found[~found.index.duplicated()].reindex(rows["path"]).set_index(rows.index)
    found = pd.DataFrame({name: found[name].where(found[name].notna(), value) for name, value in blank.items()})
    found = found.astype({name: type(value) for name, value in blank.items() if isinstance(value, int | float)})
    found["reason"] = rows["reason"].where(rows["reason"] != "", found["reason"])
    return pd.concat([rows.drop(columns="reason"), found], axis=1)


def where(root: str | Path, reading: Reading = IDENTITY) -> Path:
    """The file of what `reading` knows of `root`; another one for other versions of its code."""
    name = fingerprint.digest([str(Path(root).absolute()), header.CODECS, *map(fingerprint.of_module, reading.code)])
    return paths.built() / "scans" / f"{name[: fingerprint.LENGTH]}.parquet"


def _looked(pool: ThreadPoolExecutor, look: Callable[[str], dict], files: Iterable[str]) -> Iterator[dict]:
    """Facts in the order of `files`; only so many are asked for ahead."""
    waiting = iter(files)
    while asked := [pool.submit(look, path) for path in islice(waiting, 256)]:
        yield from (future.result() for future in asked)


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        facts = os.stat(true(path))
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return path, -1, -1
    return path, facts.st_size, facts.st_mtime_ns


def _recalled(place: Path, columns: list[str]) -> pd.DataFrame:
    """What `_remember` wrote; nothing where there is none yet, or it is damaged or of other columns."""
    known = caches.read(place)
    if known is None or not {"path", *STAMP, *columns} <= set(known):
        return pd.DataFrame(columns=[*STAMP, *columns], index=pd.Index([], name="path"))
    return known.set_index("path")[[*STAMP, *columns]].astype(dict.fromkeys(STAMP, "int64"))


def _remember(place: Path, known: pd.DataFrame) -> None:
    """Write all or nothing; a disk without room is no error."""
    with caches.optional(place.parent):
        caches.write(place, known.rename_axis("path").reset_index())
