"""Facts of files that were read before: one Parquet file per scanned folder, under the built data."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.core import caches, fingerprint, paths
from aligngemini.core.progress import progress

from .. import decode, header
from ..filenames import true

STAMP = ["size", "mtime_ns"]
CHUNK = 20_000  # files between two writes: so much of a first scan is lost when it is killed


class Reading(NamedTuple):
    """A way to read a file: `look(path)` gives the columns of `blank`, the first of them empty where it could not.

    `blank` says what stands where a file was not read; `code` names the modules that the answer depends on, with all
    that they import; no two readings name the same.
    """

    look: Callable[[str], dict]
    blank: dict
    code: tuple[str, ...]


IDENTITY = Reading(lambda path: decode.identify(path), decode.NOTHING, ("aligngemini.images.decode",))


def added(
    rows: pd.DataFrame, workers: int = 2, label: str = "reading headers", reading: Reading = IDENTITY
) -> pd.DataFrame:
    """`rows` (path, root, reason) with what `reading` finds; IDENTITY: image_id, format, jpeg_quality, size, reason.

    A file is read once, however many rows name it, and not again as long as its size and time stay the same. What has
    a reason already is not read: it may be an archive of many gigabytes.
    """
    roots = rows[rows["reason"] == ""].groupby("root", sort=False)["path"]
    parts = [_facts(root, set(files), label, workers, reading) for root, files in roots]
    facts = pd.concat([pd.DataFrame(columns=list(reading.blank)), *parts])
    facts = facts[~facts.index.duplicated()].reindex(rows["path"]).set_index(rows.index)
    facts = pd.DataFrame({name: facts[name].where(facts[name].notna(), value) for name, value in reading.blank.items()})
    facts = facts.astype({name: type(value) for name, value in reading.blank.items() if isinstance(value, int | float)})
    facts["reason"] = rows["reason"].where(rows["reason"] != "", facts["reason"])
    return pd.concat([rows.drop(columns="reason"), facts], axis=1)


def _facts(root: str | Path, files: Iterable[str], label: str, workers: int, reading: Reading) -> pd.DataFrame:
    """What `reading` finds in `files`, one row each, by path; only new and changed files are read.

    A file is the same as before if its size and time of change are. What could not be read is read again, and so is
    all that other code has read. `root` names the cache.
    """
    place = where(root, reading)
    stamps = pd.DataFrame([_stamp(path) for path in sorted(files)], columns=["path", *STAMP]).set_index("path")
    cached = _cached(place, list(reading.blank))
    known = cached.loc[cached.index.intersection(stamps.index)]
    known = known[known[STAMP].eq(stamps.loc[known.index]).all(axis=1)]
    new = stamps.index.difference(known.index)
    chunks = [new[at : at + CHUNK] for at in range(0, len(new), CHUNK)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        looks = chain.from_iterable(pool.map(reading.look, chunk) for chunk in chunks)
        looks = progress(looks, label, len(new)) if len(new) else looks
        for chunk in chunks:
            read = pd.DataFrame(list(islice(looks, len(chunk))), index=chunk).join(stamps)
            known = pd.concat([known, read]) if len(known) else read
            _store(place, pd.concat([known, cached]) if len(cached) else known, next(iter(reading.blank)))
        next(looks, None)  # ends the progress
    return known[list(reading.blank)]


def where(root: str | Path, reading: Reading = IDENTITY) -> Path:
    """The file of what `reading` knows of `root`; another one for other versions of its code."""
    name = fingerprint.digest([str(Path(root).absolute()), header.CODECS, *map(fingerprint.of_module, reading.code)])
    return paths.built() / "scans" / f"{name[: fingerprint.LENGTH]}.parquet"


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        state = os.stat(true(path))
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return path, -1, -1
    return path, state.st_size, state.st_mtime_ns


def _cached(place: Path, columns: list[str]) -> pd.DataFrame:
    """What `_store` wrote; nothing where there is none yet, or it is damaged or of other columns."""
    table = caches.read(place)
    if table is None or not {"path", *STAMP, *columns} <= set(table):
        return pd.DataFrame(columns=[*STAMP, *columns], index=pd.Index([], name="path"))
    return table.set_index("path")[[*STAMP, *columns]].astype(dict.fromkeys(STAMP, "int64"))


def _store(place: Path, table: pd.DataFrame, needed: str) -> None:
    """Write the newest row of each path, unless `needed` is empty: all or nothing; a full disk is no error."""
    table = table[~table.index.duplicated() & table[needed].map(bool)]
    with caches.optional(place.parent):
        caches.write(place, table.rename_axis("path").reset_index())
