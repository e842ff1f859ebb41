"""Lists of test images: CSV with a column for the path, one for the label, and perhaps one for the subset."""

import csv
import io
import os
import re
import textwrap
from itertools import dropwhile
from pathlib import Path

import pandas as pd

from aligngemini.core import reading
from aligngemini.core.params import QUOTED, Refused

from ..filenames import spelled
from . import skips
from .benchmarks import REAL_OR_FAKE

MOST = 2**30  # bytes of a list: ten million images
PATHS = ("path", "filename", "file", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "name")
LABELS = ("label", "typ", "type", "class", "target", "is_fake", "fake", "is_ai", "is_generated", "is_synthetic")
SUBSETS = ("subset", "generator", "model")
NO = ("0", "0.0", "false", "no", "human", "authentic", "natural", "photo", "photograph")
YES = ("1", "1.0", "true", "yes", "synthetic", "generated", "ai_generated", "machine", "artificial")
WORDS = REAL_OR_FAKE | dict.fromkeys(NO, 0) | dict.fromkeys(YES, 1)
JSON = re.compile(rb"\s*[\[{]")  # how JSON and JSON lines begin
NO_LISTS = {"": "an image", "JSON": "JSON", skips.NOT_UNPACKED: "an archive, a workbook or a Parquet table"}


def rows(path: Path) -> pd.DataFrame:
    """The images that the list `path` names, as folders.scan gives them; paths stand on its folder.

    The label is 0 or real, 1 or fake; without a column for the subset, the file is one. An image that is listed
    as both real and fake, or as neither, keeps a row with a reason, and so does a row that names none, with the path
    "". Raises Refused for a file that is no list.
    """
    table = _read(path)
    table["label"] = table["word"].map(_plain).map(WORDS).fillna(-1).astype(int)
    table = table[~table.duplicated(["path", "label", "subset"]) | (table["path"] == "")].reset_index(drop=True)
    both = table.groupby("path")["label"].transform(lambda labels: len(set(labels) - {-1}) > 1) & (table["path"] != "")
    neither = "the list says " + table["word"].map(repr) + ", neither real nor fake"
    reason = neither.where(table["label"] < 0, "").mask(both, "the list says both real and fake")
    subset = table["subset"].replace("", spelled(path.stem))
    facts = {"label": table["label"].where(reason == "", -1), "subset": subset, "generator": subset, "pair_id": ""}
    return table[["path"]].assign(**facts, benchmark=spelled(path.stem), root=spelled(path), reason=reason)


def checked(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of a benchmark beside its own list, a file called `name` among them; without one, as they are.

    In such a list, whatever is not real is fake. Images of which it says otherwise than their folder get a
    reason, and so do new rows for what it lists and is not there.
    """
    is_list = rows["path"].map(os.path.basename) == name
    if not is_list.any():
        return rows
    table, first = _read(Path(rows.loc[is_list, "path"].iloc[0])), rows.iloc[0]
    rows = rows[~is_list].reset_index(drop=True)
    labels = rows["path"].map((table["word"].map(WORDS) != 0).astype(int).groupby(table["path"]).agg(set))
    other = labels.notna() & (rows["label"] >= 0) & (labels != rows["label"].map(lambda label: {label}))
    rows.loc[other & (rows["reason"] == ""), "reason"] = f"its folder and {name} do not say the same"
    gone = table.loc[~table["path"].isin(rows["path"]), ["path"]].drop_duplicates()
    facts = {"label": -1, "subset": first["benchmark"], "generator": "", **first[["benchmark", "root"]]}
    return pd.concat([rows, gone.assign(**facts, reason=f"{name} lists it, but it is not there")], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """The list: path ("" in a row that names none), word (its label), subset ("" without one)."""
    table = _table(path)
    name, label = _column(path, table, PATHS, "path"), _column(path, table, LABELS, "label (0 real, 1 fake)")
    subset = next((table[name].map(spelled) for name in SUBSETS if name in table), "")
    files = [each and spelled(_file(path.parent, each)) for each in table[name]]
    return pd.DataFrame({"path": files, "word": table[label].map(spelled).str.lower(), "subset": subset})


def check_start(path: Path) -> None:
    """Raise Refused for a file that begins like an image or an archive, or cannot be opened."""
    _content(path, skips.HEAD)


def _content(path: Path, count: int) -> bytes:
    try:
        data = reading.start(path, count)
    except OSError as error:
        raise Refused(f"{path} cannot be read as a list ({error.strerror}): give a CSV file, or a folder.") from error
    kind = "JSON" if JSON.match(data) else skips.of_content(data[: skips.HEAD], ".csv")
    if kind in NO_LISTS and not data.startswith(skips.WIDE):
        raise Refused(f"{path} is {NO_LISTS[kind]}, not a list: save a list as CSV in UTF-8, or give a folder.")
    return data


def _table(path: Path) -> pd.DataFrame:
    """The cells of a list, as texts, under the names of its columns. Raises Refused for what is no list."""
    data = _content(path, MOST)
    text = data.decode("utf-16", "replace") if data.startswith(skips.WIDE) else data.decode("utf-8", "surrogateescape")
    lines = io.StringIO(text.removeprefix("\ufeff"), newline=None)
    lines = dropwhile(re.compile(r"\s*(#|$)|sep=", re.IGNORECASE).match, lines)
    header = next(lines, "")
    separator = next(iter(sorted((s for s in ",;\t|" if s in header), key=header.count, reverse=True)), " ")
    options = {"delimiter": separator, "skipinitialspace": True, "strict": True}
    try:
        names = [spelled(_plain(cell)) for cell in next(csv.reader([header], **options))]
        rows = [row for row in csv.reader(lines, **options) if any(map(str.strip, row))]
    except csv.Error as error:
        why = f"({error}): close every quotation mark, and double those in names"
        raise Refused(f"{path} cannot be read as a list {why}.") from error
    _check(path, header, names, rows, separator)
    cells = [[cell.strip() for cell in (row + [""] * len(names))[: len(names)]] for row in rows]
    return pd.DataFrame(cells, columns=names, dtype=object)


def _check(path: Path, header: str, names: list[str], rows: list, separator: str) -> None:
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if any(Path(name).suffix in skips.SUFFIXES for name in names):
        why = f"has no header: write one as its first line, such as path{separator}label"
    elif twice:
        why = f"has two columns called {twice}: give one of them another name"
    elif not rows:
        why = "lists no picture: give each a line below the header path,label, or give a folder"
    else:
        return
    raise Refused(f"{path} {why}.")


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _file(folder: Path, name: str) -> str:
    """The file that a list means: its name as written, or as Windows writes it."""
    return str(folder / (name if os.path.lexists(folder / name) else name.replace("\\", "/")))


def _column(path: Path, table: pd.DataFrame, names: tuple[str, ...], what: str) -> str:
    for name in names:
        if name in table:
            return name
    has = textwrap.shorten(", ".join(filter(None, table)), QUOTED, placeholder=" ...")
    advice = f"call one of its columns {names[0]} (it has {has})"
    raise Refused(f"{path} has no column for the {what} of a picture: {advice}.")
