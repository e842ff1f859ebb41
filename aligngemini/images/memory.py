"""What was found out about files before: one small Parquet file per scanned folder, under the built data."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pandas as pd
import PIL

from ..workbook import fingerprint, paths
from ..workbook.progress import progress
from . import decode, header, jpeg

STAMP = ["size", "mtime_ns"]
FACTS = ["image_id", "format", "jpeg_quality", "width", "height", "reason"]
CHUNK = 20_000  # files between two writes: so much of a first scan is lost when it is killed


def facts(root: str | Path, files: Iterable[str], label: str, workers: int = 2) -> pd.DataFrame:
    """decode.identify's facts of `files`, one row each, by path; only new and changed files are read.

    A file is the same as before if its size and time of change are. What could not be read at all, and what is
    remembered by other code, is read again; a damaged memory is no memory. `root` names the memory.
    """
    place = where(root)
    now = pd.DataFrame([_stamp(path) for path in sorted(files)], columns=["path", *STAMP]).set_index("path")
    known = _recalled(place)
    met = known.loc[known.index.intersection(now.index)]
    kept = met[met[STAMP].eq(now.loc[met.index]).all(axis=1)]
    fresh = now.index.difference(kept.index)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        read = progress(_identified(pool, fresh), label, total=len(fresh)) if len(fresh) else iter(())
        while part := list(islice(read, CHUNK)):
            made = pd.DataFrame(part, index=fresh[: len(part)]).join(now)
            fresh = fresh[len(part) :]
            kept = pd.concat([kept, made]) if len(kept) else made
            _remember(place, pd.concat([known[~known.index.isin(kept.index)], kept]) if len(known) else kept)
    return kept[FACTS]


def where(root: str | Path) -> Path:
    """The file of what is known of `root`; another one for other versions of the code that reads headers."""
    code = [fingerprint.of_file(Path(module.__file__)) for module in (decode, header, jpeg)]
    name = fingerprint.digest([str(Path(root).absolute()), PIL.__version__, *code])
    return paths.built() / "scans" / f"{name[: fingerprint.LENGTH]}.parquet"


def _identified(pool: ThreadPoolExecutor, files: Iterable[str]) -> Iterator[dict]:
    """Facts in the order of `files`; only so many are asked for ahead."""
    waiting = iter(files)
    while asked := [pool.submit(decode.identify, path) for path in islice(waiting, 256)]:
        yield from (future.result() for future in asked)


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        facts = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return path, -1, -1
    return path, facts.st_size, facts.st_mtime_ns


def _recalled(place: Path) -> pd.DataFrame:
    try:
        known = pd.read_parquet(place).set_index("path")
        return known[[*STAMP, *FACTS]].astype(dict.fromkeys(STAMP, "int64"))
    except (OSError, ValueError, LookupError):  # none yet, or a damaged one
        return pd.DataFrame(columns=[*STAMP, *FACTS], index=pd.Index([], name="path"))


def _remember(place: Path, known: pd.DataFrame) -> None:
    """Write all or nothing; files whose bytes could not be read are left out, a disk without room is no error."""
    passing = place.with_name(f".{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            known[known["image_id"] != ""].rename_axis("path").reset_index().to_parquet(passing, index=False)
            os.replace(passing, place)
        finally:
            passing.unlink(missing_ok=True)
