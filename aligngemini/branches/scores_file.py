"""Scores from a file, CSV or Parquet: of any detector, anywhere, that has looked at the same files."""

import difflib
import hashlib
import os
import textwrap
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from aligngemini.core import fingerprint, paths, reading, values
from aligngemini.core.params import QUOTED, Refused, said, shown
from aligngemini.images import filenames
from aligngemini.images.header import Unreadable, contents

KEYS = ("image_id", "path")  # columns that say which image; the first that is there counts
SCORES = ("fake", "prob", "score", "conf", "pred")  # words in names that others give to p(fake)
TABLE = "scores.parquet"
ID = r"[0-9a-f]{64}"


class ScoresFile:
    """Scores that were computed elsewhere: a table of image_id (SHA-256 of a file's bytes) or path, and score.

    An image that is not in it, or whose pixels were changed since, has no score.
    """

    kind: ClassVar[str] = "scores"
    crop: ClassVar[int] = 0
    knows_files: ClassVar[bool] = True  # and no pixels: nothing has to be decoded to say that it has no score

    def __init__(self, table: pd.DataFrame, name: str) -> None:
        self.name, self.by = name, table.columns[0]
        self.scores = dict(zip(table[self.by], table["score"], strict=True))
        self._digest = fingerprint.of_rows(table)

    @staticmethod
    def check(source: str) -> None:
        """Raise Refused where the file `source` makes no sense, long before `fit` needs it."""
        read(paths.resolve(source))

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """Copy the file `source` into the folder `out`, paths made absolute. Raises Refused where it makes no sense."""
        table = read(paths.resolve(source))
        values.write(Path(out) / TABLE, table)
        return {"file": Path(source).name, "images": len(table)}

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str) -> Self:
        """The scores that `fit` copied into `folder`. Raises Refused where they are damaged."""
        return cls(read(Path(folder) / TABLE), name)

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> float:
        """The score of the file `source`. Raises Unreadable where there is none."""
        if source is None:
            raise Unreadable("its pixels were changed, and scores of a file are those of the pixels as they were")
        key = self._key(source)
        if key not in self.scores:
            raise Unreadable(f"it is not in the file of scores, which knows images by {self.by}")
        return self.scores[key]

    def knows(self, images: pd.DataFrame) -> np.ndarray:
        """Whether it has a score of each row of an image table, bool [n]; no file is opened."""
        keys = images["image_id"] if self.by == "image_id" else map(_absolute, images["path"])
        return np.array([key in self.scores for key in keys], dtype=bool)

    def unlike(self, images: pd.DataFrame) -> str:
        """How what it has differs from an image table that it does not know, and what to write instead."""
        verb = "resolves to" if self.by == "path" else "is"
        advice = "give absolute paths or image_id" if self.by == "path" else "give the SHA-256 of the bytes, or paths"
        return f"its first {self.by} {verb} {next(iter(self.scores))}, the run's is {images[self.by].iloc[0]}; {advice}"

    def _key(self, source: object) -> str:
        if self.by == "image_id" and isinstance(source, str | Path | bytes):
            return hashlib.sha256(contents(source)).hexdigest()
        return _absolute(source) if isinstance(source, str | Path) else ""

    def p_fake(self, views: list[float]) -> np.ndarray:
        """The scores, float64 [n]."""
        return np.asarray(views, dtype=np.float64)

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """A digest of all scores."""
        return {"branch": self.kind, "scores": self._digest, "code": fingerprint.of_module(__name__)}


def read(path: Path) -> pd.DataFrame:
    """A file of scores with the columns image_id or path (str) and score (float64), each image once.

    Relative paths start at the folder of the file. Raises Refused with the first image that makes no sense.
    """
    table = _columns(path, _table(path))
    if table.empty:
        raise Refused(f"{path} has no rows: give one for each image, of image_id or path, and score.")
    if (nameless := table.iloc[:, 0].fillna("") == "").any():
        row = f"row {nameless.idxmax() + 1} has no {table.columns[0]}"
        raise Refused(f"{path}: {row}, which names its image: fill it in ({nameless.sum()} such rows).")
    comma = table["score"].astype("str").str.fullmatch(r"\s*[01]?,\d+\s*")
    _refuse(path, table.loc[comma], "has a score with a decimal comma: write points, as in 0.5")
    table["score"] = pd.Series(pd.to_numeric(table["score"], errors="coerce"), dtype="float64")
    _refuse(
        path, table.loc[~table["score"].between(0, 1)], "has no score in [0, 1]: give p(fake), or leave the image out"
    )
    if table.columns[0] == "image_id":
        table["image_id"] = table["image_id"].str.lower()
        odd = ~table["image_id"].str.fullmatch(ID)
        _refuse(path, table.loc[odd], "is no image_id: give the SHA-256 of the file's bytes, or a column path instead")
    else:
        table["path"] = [_absolute(path.parent / filenames.true(text)) for text in table["path"]]
    table = table.drop_duplicates(ignore_index=True)
    _refuse(path, table.loc[table.duplicated(table.columns[0])], "is listed twice, with other scores: keep one of them")
    return table


def _table(path: Path) -> pd.DataFrame:
    """All columns of a file by name, in lower case. Raises Refused for one that is no table."""
    try:
        head = reading.start(path, 2**12).partition(b"\n")[0].decode("utf-8", "replace")
        table = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, max(",;\t", key=head.count))
    except Exception as error:  # of any kind: what a damaged file makes its readers raise is not theirs to choose
        why = getattr(error, "strerror", None) or said(error)
        raise Refused(
            f"{path} cannot be read as scores ({why}): write CSV in UTF-8 with decimal points, or Parquet."
        ) from error
    if not isinstance(table.index, pd.RangeIndex) and path.suffix.lower() != ".parquet":
        raise Refused(f"{path} has rows of more fields than columns: write scores with decimal points, not commas.")
    table = table.rename(columns=lambda name: str(name).strip().lower())
    if twice := list(table.columns[table.columns.duplicated()]):
        raise Refused(f"{path} has two columns called {shown(twice[0])}: give one of them another name.")
    return table


def _csv(path: Path, separator: str) -> pd.DataFrame:
    """Texts alone; bytes of names that are no UTF-8 become what filenames.spelled writes."""
    options = {"keep_default_na": False, "skipinitialspace": True, "encoding_errors": "backslashreplace"}
    return pd.read_csv(path, sep=separator, dtype=str, encoding="utf-8-sig", **options)


def _columns(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The key and `score` of a table. Raises Refused where one is missing, with the nearest name that is there."""
    there = list(table.columns)
    key = next((name for name in KEYS if name in there), "")
    for name, wanted in ((key, KEYS), ("score", ("score",))):
        if name not in there:
            near = next((close[0] for each in wanted if (close := difflib.get_close_matches(each, there, 1))), "")
            if not near and name == "score":
                near = next((each for each in there if any(word in each for word in SCORES)), "")
            meant = f"is {near!r} meant? " if near else ""
            has = textwrap.shorten(", ".join(there), QUOTED, placeholder=" ...")
            rename = f"rename {'it' if near else 'the one that is meant'} to {wanted[-1]}"
            raise Refused(f"{path} has no column {' or '.join(wanted)}: {meant}it has {has}; {rename}")
    return table.loc[:, [key, "score"]].astype({key: "str"}).reset_index(drop=True)


def _refuse(path: Path, wrong: pd.DataFrame, why: str) -> None:
    if len(wrong):
        raise Refused(f"{path}: {shown(wrong.iloc[0, 0])} {why} ({len(wrong)} such rows).")


def _absolute(path: str | Path) -> str:
    """The path of a file as tables spell it, whatever links lead to its folder."""
    return filenames.spelled(os.path.realpath(filenames.true(path)))
