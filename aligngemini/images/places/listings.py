"""Lists of test pictures: CSV files with a column for the path, one for the label, and perhaps one for the subset."""

import csv
from pathlib import Path

import pandas as pd

from ...workbook.params import Refused
from . import folders
from .layout import REAL_OR_FAKE

PATHS = ("path", "filename", "file", "file_name", "filepath", "file_path", "image", "image_path", "name")
LABELS = ("label", "typ", "type", "class", "target", "is_fake", "fake")
SUBSETS = ("subset", "generator", "model")
WORDS = REAL_OR_FAKE | dict.fromkeys(("0", "0.0", "false"), 0)
WORDS |= dict.fromkeys(("1", "1.0", "synthetic", "generated", "true"), 1)


def rows(path: Path) -> pd.DataFrame:
    """The pictures that the CSV file `path` lists, as folders.scan gives them; paths stand on its folder.

    The label is 0 or real, 1 or fake; without a column for it, the file is one subset. A picture that is listed
    as both real and fake, or as neither, keeps a row with a reason. Raises Refused for a file that is no list.
    """
    known = _read(path)
    known["label"] = known["word"].map(WORDS).fillna(-1).astype(int)
    known = known.drop_duplicates(["path", "label", "subset"], ignore_index=True)
    both = known.groupby("path")["label"].transform(lambda labels: len(set(labels) - {-1}) > 1)
    neither = "the list says " + known["word"].map(repr) + ", neither real nor fake"
    reason = neither.where(known["label"] < 0, "").mask(both, "the list says both real and fake")
    reason = reason.mask(known["odd"], folders.UNKNOWN_NAME)
    known["subset"] = known["subset"].replace("", path.stem)
    known["label"] = known["label"].where(reason == "", -1)
    return pd.DataFrame({
        "path": known["path"], "label": known["label"], "subset": known["subset"],
        "generator": known["subset"], "benchmark": path.stem, "root": str(path), "reason": reason,
    })  # fmt: skip


def checked(found: pd.DataFrame, root: Path, name: str) -> pd.DataFrame:
    """Rows of a benchmark beside its own list, a file called `name` under `root`; without one, as they are.

    In such a list, whatever is not real is fake. Pictures of which it says otherwise than their folder get a
    reason, and so do new rows for what it lists and nobody finds.
    """
    path = next(iter(sorted(root.rglob(name))), None)
    if path is None:
        return found
    known = _read(path)
    said = known.assign(label=1 - (known["word"].map(WORDS) == 0)).groupby("path")["label"].agg(set)
    told = found["path"].map(said)
    other = told.notna() & (found["label"] >= 0) & (told != found["label"].map(lambda label: {label}))
    found.loc[other & (found["reason"] == ""), "reason"] = f"its folder and {name} do not say the same"
    gone = known[~known["path"].isin(found["path"])].drop_duplicates("path")
    fixed = found.iloc[0][["benchmark", "root"]].to_dict() | {"generator": "", "label": -1}
    gone = gone[["path"]].assign(
        subset=found["benchmark"].iloc[0], reason=f"{name} lists it, but it is not there", **fixed
    )
    return pd.concat([found, gone], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """The list: path, word (its label, in lower case), subset ("" without one), odd (the name is no UTF-8)."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            head = file.readline()
            file.seek(0)
            lines = list(csv.DictReader(file, delimiter=max(",;\t", key=head.count), restval=""))
    except (OSError, csv.Error) as error:
        raise Refused(f"{path} cannot be read as a list ({error}): give a CSV file, or a folder.") from error
    columns = {(name or "").strip().lower(): name for name in (lines[0] if lines else {})}
    at, label = _column(path, columns, PATHS, "path"), _column(path, columns, LABELS, "label")
    subset = next((columns[name] for name in SUBSETS if name in columns), None)
    named = [str(path.parent / line[at].strip()) for line in lines]
    return pd.DataFrame({
        "path": [folders.spelled(name) for name in named],
        "word": [folders.spelled(line[label]).strip().lower() for line in lines],
        "subset": [folders.spelled(line[subset]).strip() if subset else "" for line in lines],
        "odd": [folders.spelled(name) != name for name in named],
    })  # fmt: skip


def _column(path: Path, columns: dict[str, str], names: tuple[str, ...], what: str) -> str:
    found = next((columns[name] for name in names if name in columns), None)
    if found is None:
        raise Refused(f"{path} has no column for the {what} of a picture: call one of its columns {names[0]}.")
    return found
