"""Tables of results whose rows point at pictures of an earlier run."""

import os
from pathlib import Path

import pandas as pd

from aligngemini.workbook.params import Refused


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write as Parquet with picture paths relative to the file's folder, so that outputs move as a whole."""
    folder = Path(path).absolute().parent
    frame.assign(path=[os.path.relpath(each, folder) if each else "" for each in frame.path]).to_parquet(
        path, index=False
    )
    return Path(path)


def load(path: Path) -> pd.DataFrame:
    """Read what `write` wrote, with absolute picture paths; raise Refused if the file is absent."""
    path = Path(path).absolute()
    if not path.is_file():
        raise Refused(f"There is no table {path}; run the notebook that writes it first.")
    frame = pd.read_parquet(path)
    return frame.assign(path=[os.path.normpath(path.parent / each) if each else "" for each in frame.path])
