"""What a folder should hold: a table of its files with sizes and checksums, kept in the folder itself."""

import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from ..images.decode import identify
from ..images.places import folders
from ..workbook import atomic, paths
from ..workbook.progress import progress, say

FILE = ".fetched.parquet"
COLUMNS = ["path", "bytes", "crc32"]  # path within the folder; -1: not known


def write(folder: Path, rows: pd.DataFrame) -> None:
    """Write the table of `folder`, COLUMNS, all or nothing."""
    atomic.write_table(folder / FILE, rows[COLUMNS])


def read(folder: Path) -> pd.DataFrame | None:
    """The table of `folder`, or None where there is none that can be read."""
    try:
        return pd.read_parquet(folder / FILE)[COLUMNS]
    except (OSError, ValueError, KeyError):  # pyarrow's errors are ValueErrors
        return None


def left_out(reasons: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table path, reason of what has a reason."""
    return pd.DataFrame([(name, why) for name, why in (reasons or {}).items() if why], columns=["path", "reason"])


def by_hand(name: str, folder: Path) -> pd.DataFrame:
    """Say that what somebody put into `folder` stays as it is; nothing is left out."""
    say(f"{name}: the pictures in {paths.short(folder)} were put there by hand and stay as they are")
    return left_out()


def of_file(path: Path, folder: Path) -> list:
    """The row of one file, from its bytes."""
    data = path.read_bytes()
    return [path.relative_to(folder).as_posix(), len(data), zlib.crc32(data)]


def problems(folder: Path, rows: pd.DataFrame, quick: bool, workers: int = 4) -> pd.Series:
    """What is wrong with each recorded file: "", "missing", or how it is damaged; `quick` looks at sizes alone."""
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda row: _problem(folder, row, quick), rows.itertuples())
        return pd.Series(list(progress(found, f"checking {folder.name}", len(rows))), index=rows.index, dtype=object)


def unrecorded(folder: Path, quick: bool, workers: int = 4) -> dict[str, str]:
    """Pictures that lie in `folder` without a record: path -> "" or why it is none; `quick` does not open them."""
    names = pictures(folder)
    with ThreadPoolExecutor(workers) as pool:
        said = pool.map(lambda path: "" if quick else identify(path)["reason"], names)
        return dict(zip(names, progress(said, f"checking {folder.name}", len(names)), strict=True))


def pictures(folder: Path) -> list[str]:
    """Paths of what notebook 01 would take for pictures; none where there is no folder."""
    if not folder.is_dir():
        return []
    rows = folders.walked(folder)
    return list(rows.loc[rows["reason"] == "", "path"])


def _problem(folder: Path, row, quick: bool) -> str:
    path = folder / row.path
    try:
        size = path.stat().st_size
    except OSError:
        return "missing"
    if row.bytes < 0:
        return "" if quick else identify(path)["reason"]
    if size != row.bytes:
        return f"{size} bytes instead of {row.bytes}"
    return "" if quick or of_file(path, folder)[2] == row.crc32 else "its checksum is another"
