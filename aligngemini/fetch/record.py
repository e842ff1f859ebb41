"""What a folder should hold, by a table of its files kept in the folder itself, and how far it is."""

import hashlib
import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.core import atomic, fingerprint, paths
from aligngemini.core.progress import progress, say
from aligngemini.images.decode import identify
from aligngemini.images.loaders import archives, folders

FILE = ".fetched.parquet"
COLUMNS = ["path", "bytes", "crc32"]  # path within the folder; -1: not known
COMPLETE, INCOMPLETE, CORRUPT, MISSING = "complete", "incomplete", "corrupt", "missing"
SHOWN = 3  # examples of damaged files
WORKERS = 4
DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")  # of a file, as the hub gives it


class State(NamedTuple):
    """How far a source is: one of the four words, and the figures or examples behind it."""

    word: str
    detail: str


class Offer(NamedTuple):
    """What a fetch would bring: from where, how many bytes of files (`about`: an estimate), and under which licence."""

    origin: str
    bytes: int
    licence: str
    about: bool = False


def write(folder: Path, rows: list) -> None:
    """Write the table of `folder` from rows of COLUMNS, all or nothing."""
    with atomic.replacing(folder / FILE) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_parquet(temporary, index=False)


def read(folder: Path) -> pd.DataFrame | None:
    """The table of `folder`, or None where there is none that can be read, or it names files outside `folder`."""
    try:
        rows = pd.read_parquet(folder / FILE)[COLUMNS].astype({"path": "str", "bytes": "int64", "crc32": "int64"})
        return None if any(archives.problem(path, True, 0) for path in rows["path"]) else rows
    except Exception:  # of any kind: what a damaged file makes its readers raise is not theirs to choose
        return None


def digest(path: Path, like: str) -> str:
    """The digest of a file as the hub gives it: SHA-256 if `like` is one, else git's SHA-1."""
    if len(like) == 64:
        return fingerprint.of_file(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def images(folder: Path) -> list[str]:
    """Paths of what notebook 01 would take for images; none where there is no folder."""
    if not folder.is_dir():
        return []
    rows = folders.walked(folder)
    return list(rows.loc[rows["reason"] == "", "path"])


def left_alone(source: str, folder: Path) -> dict[str, str]:
    """Say that what somebody put into `folder` stays as it is; nothing is left out."""
    say(f"{source}: the pictures in {paths.short(folder)} were put there by hand and stay as they are")
    return {}


def problems(folder: Path, quick: bool) -> dict[str, str]:
    """What is wrong with each file that `folder` should hold: "", "missing", or how it is damaged.

    Without a record these are the images that lie there. `quick` looks at names and sizes alone.
    """
    rows = read(folder)
    rows = pd.DataFrame({"path": images(folder), "bytes": -1, "crc32": -1}) if rows is None else rows
    with ThreadPoolExecutor(WORKERS) as pool:
        reasons = pool.map(lambda row: _problem(folder, row, quick), rows.itertuples())
        return dict(zip(rows["path"], progress(reasons, f"checking {folder.name}", len(rows)), strict=True))


def cleared(folder: Path) -> bool:
    """Remove files that differ from the record of `folder`; whether it has one and is complete."""
    if read(folder) is None:
        return False
    reasons = problems(folder, quick=False)
    for path in (path for path, reason in reasons.items() if reason not in ("", MISSING)):
        (folder / path).unlink(missing_ok=True)
    return bool(reasons) and not any(reasons.values())


def state(folder: Path, quick: bool, count: int = 0) -> State:
    """The state of a folder of images, of which there should be `count` (0: not known)."""
    reasons, by_hand = problems(folder, quick), read(folder) is None
    if by_hand and not reasons:
        return State(MISSING, "")
    if by_hand and len(reasons) < count and not any(reasons.values()):
        return State(INCOMPLETE, f"{len(reasons)} of {count}, put there by hand")
    return of_files(reasons, ", put there by hand" if by_hand else "")


def of_files(reasons: dict[str, str], note: str = "") -> State:
    """The state of files, each of them fine (""), "missing", or damaged; `note` is added."""
    wrong = {path: why for path, why in reasons.items() if why not in ("", "missing")}
    fine = sum(why == "" for why in reasons.values())
    if wrong:
        shown = "; ".join(f"{path}: {why}" for path, why in list(wrong.items())[:SHOWN])
        return State(CORRUPT, f"{len(wrong)} of {len(reasons)}: {shown}" + (" …" if len(wrong) > SHOWN else ""))
    if fine < len(reasons):
        return State(INCOMPLETE if fine else MISSING, f"{fine} of {len(reasons)}")
    return State(COMPLETE, f"{fine} files{note}")


def _problem(folder: Path, row, quick: bool) -> str:
    path = folder / row.path
    if not os.path.isfile(path):
        return MISSING
    size = path.stat().st_size
    if row.bytes < 0:
        return "" if quick else identify(path)["reason"]
    if size != row.bytes:
        return f"{size} bytes instead of {row.bytes}"
    return "" if quick or zlib.crc32(path.read_bytes()) == row.crc32 else "its checksum is another"
