"""What is audited, and what it is held against: image tables, labelled folders, CSV lists and named benchmarks."""

import os
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from ..images import table
from ..images.places import benchmarks, folders
from ..workbook.params import Refused

TRAINING = ("semantic.parquet", "pixel.parquet", "joint.parquet")  # all else that a run learns from is made of these
KEPT = ["path", "root", "label", "benchmark", "subset", "split", "pair_id", "reason"]
FACTS = ["image_id", "format", "jpeg_quality", "width", "height"]


def rows(text: str, split: str = "test") -> pd.DataFrame:
    """The pictures that `text` names: KEPT and FACTS, one row per file and subset, a reason where it is of no use.

    `text` is a Parquet image table, the folder of a run of notebook 01 (its test table), a labelled folder, a CSV
    list, or NAME:DIR[:REALS_DIR]; relative paths stand on the working directory. Pictures that are in no split
    count as `split`. Raises Refused for what is none of these.
    """
    path = Path(text).absolute()
    path = path / "test.parquet" if os.path.isfile(path / "test.parquet") else path
    if path.suffix == ".parquet":
        found = table.unchecked(path).assign(root=str(path))
    else:
        found = _scanned(_absolute(text)).assign(split=split, pair_id="")
    found = found.assign(
        reason=found["reason"].mask((found["reason"] == "") & ~found["label"].isin((0, 1)), "no label")
    )
    if found.empty:
        raise Refused(f"{text} holds no picture: give another set.")
    return found.reindex(columns=[*KEPT, *FACTS]).reset_index(drop=True)


def training(text: str) -> pd.DataFrame:
    """The usable pictures of `text` that train: of a table those whose split is not test, of all else every one."""
    found = rows(text, "train")
    found = found[(found["reason"] == "") & (found["split"] != "test")]
    if found.empty:
        raise Refused(f"{text} has no picture that trains: give --against a table of notebook 01, or a folder.")
    return found


def beside(text: str) -> list[str]:
    """The tables that the run of the test table `text` learns from; none for anything else."""
    path = Path(text).absolute()
    folder = path if path.is_dir() else path.parent
    is_test = (folder / "test.parquet").is_file() and path in (folder, folder / "test.parquet")
    found = [folder / name for name in TRAINING if is_test and (folder / name).is_file()]
    return [str(path) for path in found if parquet.read_metadata(path).num_rows]  # a joint validation set may be empty


def _absolute(text: str) -> str:
    """`text` with the paths that exist seen from the working directory made absolute."""
    if os.path.exists(text):
        return str(Path(text).absolute())
    return ":".join(str(Path(part).absolute()) if os.path.exists(part) else part for part in text.split(":"))


def _scanned(text: str) -> pd.DataFrame:
    found = benchmarks.rows(text)
    return folders.identified(found).assign(root=found["root"])
