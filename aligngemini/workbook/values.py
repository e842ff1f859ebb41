"""What the files of a run hold, by suffix: tables (.parquet), JSON values (.json) and texts (.html, .md, .txt)."""

import json
import math
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.workbook import manifest
from aligngemini.workbook.params import Refused

TEXTS = (".html", ".md", ".txt")
SUFFIXES = (".parquet", ".json", *TEXTS)
CLOSE = 1e-9  # relative: the last digits of a sum depend on the machine


def check(name: str) -> None:
    """Raise Refused for the name of a file that has another suffix; folders have none."""
    if Path(name).suffix not in (*SUFFIXES, ""):
        raise Refused(f"{name} is not a file that a run can hold: let its name end in one of {', '.join(SUFFIXES)}")


def dump(value: Any, name: str, folder: Path) -> bytes:
    """Return the content of the file `name` in `folder` that holds `value`.

    Tables lose their index, and the column `path` names files under the outputs relative to `folder`. JSON holds no
    NaN: it becomes None. Raises Refused for another suffix, and for a value that the suffix is not for.
    """
    check(name)
    suffix = Path(name).suffix
    kind = {".parquet": pd.DataFrame, ".json": object}.get(suffix, str)
    if not isinstance(value, kind):
        raise Refused(f"{name} must hold a {kind.__name__}, got {type(value).__name__}: choose another suffix")
    if suffix == ".parquet":
        return _parquet(value, folder)
    text = value if suffix in TEXTS else json.dumps(manifest.plain(value), indent=1, ensure_ascii=False) + "\n"
    return text.encode()


def parse(data: bytes, name: str, folder: Path) -> Any:
    """Return the value of which `dump` made `data`; the column `path` of a table is absolute again."""
    suffix = Path(name).suffix
    if suffix != ".parquet":
        return json.loads(data) if suffix == ".json" else data.decode()
    table = pd.read_parquet(BytesIO(data))
    return table.assign(path=[absolute(each, folder) for each in table["path"]]) if "path" in table else table


def read(path: Path, folder: Path) -> Any:
    """Return the value that the file at `path` holds, its paths seen from `folder`. Raises OSError."""
    return parse(path.read_bytes(), path.name, folder)


def _parquet(table: pd.DataFrame, folder: Path) -> bytes:
    if "path" in table:
        table = table.assign(path=[relative(each, folder) for each in table["path"]])
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def relative(path: str | Path, folder: Path) -> str:
    """`path` as a table in a run's `folder` stores it: from there if it lies under the same outputs, else absolute."""
    if not str(path):
        return ""
    path, folder = Path(path).absolute(), Path(folder).absolute()
    inside = path.is_relative_to(folder) or path.is_relative_to(folder.parent.parent)
    return Path(os.path.relpath(path, folder)).as_posix() if inside else path.as_posix()


def absolute(path: str, folder: Path) -> str:
    """The absolute path of what `relative` gave."""
    return os.path.normpath(Path(folder).absolute() / path) if path else ""


def same(one: Any, other: Any) -> bool:
    """Tell whether two values of `parse` are equal but for the last digits of their numbers."""
    if isinstance(one, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=CLOSE, atol=0)
        except AssertionError:
            return False
        return True
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=CLOSE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other
