"""What the files of a run hold, by suffix: tables (.parquet), JSON values (.json) and texts (.html, .md, .txt)."""

import json
import math
import os
import posixpath
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.core import atomic, json_file
from aligngemini.core.params import Refused

TEXTS = (".html", ".md", ".txt")
SUFFIXES = (".parquet", ".json", *TEXTS)
CLOSE = 1e-9  # relative: the last digits of a sum depend on the machine


def check(name: str) -> None:
    """Raise Refused for the name of a file that has another suffix; folders have none."""
    if Path(name).suffix not in (*SUFFIXES, ""):
        raise Refused(f"{name} is not a file that a run can hold: let its name end in one of {', '.join(SUFFIXES)}")


def dump(value: Any, path: Path) -> bytes:
    """Return the content of a file at `path` that holds `value`.

    Tables lose their index, and their column `path` is stored as `relative` says, "" where it is missing. JSON holds
    no NaN: it becomes None. Raises Refused for another suffix, and for a value that the suffix is not for.
    """
    check(path.name)
    kind = {".parquet": pd.DataFrame, ".json": object}.get(path.suffix, str)
    if not isinstance(value, kind):
        raise Refused(f"{path.name} must hold a {kind.__name__}, got {type(value).__name__}: choose another suffix")
    if path.suffix != ".parquet":
        return (value if path.suffix in TEXTS else json_file.spell(value)).encode()
    if "path" in value:
        value = value.assign(path=[relative(each, path.parent) for each in value["path"].astype(object).fillna("")])
    buffer = BytesIO()
    value.to_parquet(buffer, index=False)
    return buffer.getvalue()


def parse(data: bytes, path: Path) -> Any:
    """Return the value of which `dump` made `data` for `path`; the column `path` of a table is absolute again."""
    if path.suffix != ".parquet":
        return json.loads(data) if path.suffix == ".json" else data.decode()
    table = pd.read_parquet(BytesIO(data))
    if "path" not in table:
        return table
    return table.assign(path=[absolute(each, path.parent) for each in table["path"].astype(object).fillna("")])


def write(path: Path, value: Any) -> Path:
    """Write the file at `path`, whole or not at all, and return its path. Raises OSError, and Refused as `dump`."""
    return atomic.write(path, dump(value, path))


def read(path: str | Path, what: str = "table", maker: str = "the notebook that writes it", kinds: Any = None) -> Any:
    """Return the value that the file at `path` holds; `what` it is and its `maker` stand in refusals.

    Columns of a table that `kinds` names get these types, with "" for missing texts. Raises Refused if there is none,
    or it is damaged.
    """
    path = Path(path).absolute()
    try:
        value = parse(path.read_bytes(), path)
        kinds = {name: kind for name, kind in (kinds or {}).items() if name in value}
        return value.astype(kinds).fillna({name: "" for name in kinds if kinds[name] == "str"}) if kinds else value
    except FileNotFoundError as error:
        raise Refused(f"There is no {what} {path}; run {maker} first.") from error
    except Exception as error:  # of any kind: what a damaged file makes its readers raise is not theirs to choose
        raise Refused(f"{path} is not a readable {what.split()[-1]} ({error}); make it again with {maker}.") from error


def relative(path: str | Path, folder: Path) -> str:
    """`path` as a table in `folder` stores it: seen from there if it lies in the same outputs, which may move.

    The folder of a run lies two below its outputs. What lies elsewhere stays absolute, and "" is "".
    """
    if not str(path):
        return ""
    parent, name = os.path.split(os.path.join(os.getcwd(), path))
    return posixpath.join(_seen(parent, os.path.join(os.getcwd(), folder)), name)


@lru_cache(maxsize=1024)  # a table has many images and few folders
def _seen(parent: str, folder: str) -> str:
    """The folder `parent` as a table in `folder` stores it; "" for that very folder."""
    # What ".." leads to behind a link is known to the disk alone.
    if ".." in Path(parent).parts or not Path(parent).is_relative_to(Path(folder).parent.parent):
        return Path(parent).as_posix()
    seen = Path(os.path.relpath(parent, folder)).as_posix()
    return "" if seen == "." else seen


def absolute(path: str, folder: Path) -> str:
    """The absolute path of what `relative` gave."""
    if not path or os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(os.getcwd(), folder, path))


def same(one: Any, other: Any, close: float = CLOSE) -> bool:
    """Tell whether two values of `parse` are equal but for their numbers, which may differ by a share of `close`."""
    if isinstance(one, pd.DataFrame) and isinstance(other, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=close, atol=0)
        except AssertionError:
            return False
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name], close) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*both, close) for both in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=close)
    return type(one) is type(other) and one == other
