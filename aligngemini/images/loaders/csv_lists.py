"""Lists of test pictures: files with a column for the path, one for the label, and perhaps one for the subset."""

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from aligngemini.core.params import Refused

from ..filenames import spelled, true
from . import list_reading
from .tree_layout import REAL_OR_FAKE

PATHS = ("path", "filename", "file", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "name")
LABELS = ("label", "typ", "type", "class", "target", "is_fake", "fake", "is_ai", "is_generated", "is_synthetic")
REALS = ("is_real", "real")  # columns in which 1 is real
SUBSETS = ("subset", "generator", "model")
NO, YES = ("0", "0.0", "false", "no"), ("1", "1.0", "true", "yes")
WORDS = REAL_OR_FAKE | dict.fromkeys((*NO, "human", "authentic", "natural", "photo", "photograph"), 0)
WORDS |= dict.fromkeys((*YES, "synthetic", "generated", "ai_generated", "machine", "artificial"), 1)
SIGNS = dict.fromkeys(("-1", "-1.0"), 0)  # where no label is 0
ADDRESS = ("http://", "https://")


def rows(path: Path) -> pd.DataFrame:
    """The pictures that the list `path` names, as folders.scan gives them; paths stand on its folder.

    The label is 0 or real, 1 or fake; without a column for it, the file is one subset. A picture that is listed
    as both real and fake, or as neither, keeps a row with a reason. Raises Refused for a file that is no list.
    """
    known = _read(path)
    words = WORDS if known["word"].isin(NO).any() else WORDS | SIGNS
    known["label"] = (
        known["word"].map(lambda word: words.get(word, words.get(list_reading.column(word), -1))).astype(int)
    )
    known = known.drop_duplicates(["path", "label", "subset"], ignore_index=True)
    both = known.groupby("path")["label"].transform(lambda labels: len(set(labels) - {-1}) > 1)
    neither = "the list says " + known["word"].map(repr) + ", neither real nor fake"
    reason = neither.where(known["label"] < 0, "").mask(both, "the list says both real and fake")
    reason = reason.mask(known["problem"] != "", known["problem"])
    known["subset"] = known["subset"].replace("", spelled(path.stem))
    known["label"] = known["label"].where(reason == "", -1)
    return pd.DataFrame({
        "path": known["path"], "label": known["label"], "subset": known["subset"], "generator": known["subset"],
        "benchmark": spelled(path.stem), "root": spelled(path), "reason": reason,
    })  # fmt: skip


def checked(found: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of a benchmark beside its own list, a file called `name` among them; without one, as they are.

    In such a list, whatever is not real is fake. Pictures of which it says otherwise than their folder get a
    reason, and so do new rows for what it lists and nobody finds.
    """
    is_list = found["path"].map(os.path.basename) == name
    if not is_list.any():
        return found
    known, fixed = _read(Path(found.loc[is_list, "path"].iloc[0])), found.iloc[0][["benchmark", "root"]].to_dict()
    found = found[~is_list].reset_index(drop=True)
    said = known.assign(label=1 - (known["word"].map(WORDS) == 0)).groupby("path")["label"].agg(set)
    told = found["path"].map(said)
    other = told.notna() & (found["label"] >= 0) & (told != found["label"].map(lambda label: {label}))
    found.loc[other & (found["reason"] == ""), "reason"] = f"its folder and {name} do not say the same"
    gone = known[~known["path"].isin(found["path"])].drop_duplicates("path")
    gone = gone[["path"]].assign(
        subset=fixed["benchmark"], reason=f"{name} lists it, but it is not there", generator="", label=-1, **fixed
    )
    return pd.concat([found, gone], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """The list: path, word (its label), subset ("" without one), problem (why a line cannot count, or "")."""
    lines = list_reading.read(path)
    at, label = _column(path, lines, PATHS, "path"), _column(path, lines, (*LABELS, *REALS), "label")
    subset = next((name for name in SUBSETS if name in lines[0]), None)
    turned = dict(zip((*NO, *YES), (*YES, *NO), strict=True)) if label in REALS else {}
    files = [spelled(_file(path.parent, line[at])) for line in lines]
    words = [spelled(line[label]).lower() for line in lines]
    return pd.DataFrame({
        "path": files,
        "word": [turned.get(word, word) for word in words],
        "subset": [spelled(line[subset]) if subset else "" for line in lines],
        "problem": [_problem(line, line[at], file) for line, file in zip(lines, files, strict=True)],
    })  # fmt: skip


def _file(folder: Path, name: str) -> str:
    """The file that a list means: its name as written, or as other systems and programs write it."""
    bytewise = name.encode("utf-8", "surrogateescape")
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]  # of umlauts
    for text in (name, name.replace("\\", "/"), unquote(name), bytewise.decode("cp1252", "replace"), *forms):
        if os.path.lexists(folder / text):
            return str(folder / text)
    return str(folder / name)


def _problem(line: dict[str, str], name: str, file: str) -> str:
    if line[list_reading.EXTRA] and not os.path.lexists(true(file)):
        return "its line has more fields than the header: put a name with a separator in quotation marks"
    if not name:
        return "its line names no file"
    return "a web address: download the picture and list the file" if name.lower().startswith(ADDRESS) else ""


def _column(path: Path, lines: list[dict[str, str]], names: tuple[str, ...], what: str) -> str:
    found = next((name for name in names if name in lines[0]), None)
    if found is None:
        has = ", ".join(name for name in lines[0] if name not in ("", list_reading.EXTRA))
        raise Refused(
            f"{path} has no column for the {what} of a picture: call one of its columns {names[0]} (it has {has})."
        )
    return found
