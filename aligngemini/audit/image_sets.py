"""The sets that an audit reads: image tables, labelled folders, CSV lists and named benchmarks."""

import os
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from aligngemini.core.params import Refused
from aligngemini.images import table
from aligngemini.images.loaders import benchmark_rows, folders

TRAINING = ("semantic.parquet", "pixel.parquet", "joint.parquet")  # all else that a run learns from is made of these


def read(text: str, split: str = "test") -> pd.DataFrame:
    """The images that `text` names, one row per file and subset, a reason where it is of no use.

    Columns: root (names the memory of its files), path, label, benchmark, subset, split, pair_id, reason, image_id,
    format, jpeg_quality, width, height, and more of an image table.

    `text` is a Parquet image table, the folder of a run of notebook 01 (its test table), a labelled folder, a CSV
    list, or NAME:DIR[:REALS_DIR]; relative paths stand on the working directory. Images that are in no split
    count as `split`. Raises Refused for what is none of these.
    """
    path = Path(text).absolute()
    path = path / "test.parquet" if os.path.isfile(path / "test.parquet") else path
    if path.suffix == ".parquet":
        rows = table.unchecked(path).assign(root=str(path))
    else:
        scanned = benchmark_rows.rows(_absolute(text))
        rows = folders.identified(scanned).assign(root=scanned["root"], split=split, pair_id="")
    if rows.empty:
        raise Refused(f"{text} holds no picture: give another set.")
    unlabelled = (rows["reason"] == "") & ~rows["label"].isin((0, 1))
    return rows.assign(reason=rows["reason"].mask(unlabelled, "no label")).reset_index(drop=True)


def read_training(text: str) -> pd.DataFrame:
    """The usable images of `text` that train: of a table those whose split is not test, of all else every one."""
    rows = read(text, "train")
    rows = rows[(rows["reason"] == "") & (rows["split"] != "test")]
    if rows.empty:
        raise Refused(f"{text} has no picture that trains: give --against a table of notebook 01, or a folder.")
    return rows


def training_tables(text: str) -> list[str]:
    """The tables that the run of the test table `text` learns from; none for anything else."""
    folder = Path(text).absolute()
    folder = folder.parent if folder.name == "test.parquet" else folder
    found = [folder / name for name in TRAINING if (folder / "test.parquet").is_file() and (folder / name).is_file()]
    return [str(path) for path in found if parquet.read_metadata(path).num_rows]  # a joint validation set may be empty


def _absolute(text: str) -> str:
    """`text` with the paths that exist seen from the working directory made absolute."""
    parts = [text] if os.path.exists(text) else text.split(":")
    return ":".join(str(Path(part).absolute()) if os.path.exists(part) else part for part in parts)
