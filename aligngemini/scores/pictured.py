"""Tables of results whose rows point at pictures of an earlier run."""

from pathlib import Path

import pandas as pd

from aligngemini.workbook import values


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write as Parquet with picture paths relative to the file's folder, so that outputs move as a whole."""
    return values.write(Path(path), frame)


def load(path: Path) -> pd.DataFrame:
    """Read what `write` wrote, with absolute picture paths; raise Refused if the file is absent."""
    return values.read(path)
