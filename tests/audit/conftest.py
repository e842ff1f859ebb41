"""The audit is tested on the images and runs that the tests of images make, and on pairs of files."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from aligngemini.images import decode, table
from tests.images.conftest import new_run, picture, saved

__all__ = ["new_run", "picture", "saved"]


def write_pairs(folder: Path, pairs: Iterable[tuple[bytes, bytes]]) -> pd.DataFrame:
    """Rows of an image table, from the bytes of a real and of a fake file for each pair."""
    rows = []
    for number, files in enumerate(pairs):
        for label, data in enumerate(files):
            path = folder / f"{number}_{label}.img"
            path.write_bytes(data)
            about = {"path": str(path), "label": label, "axis": ("none", "pixel")[label], "split": "train"}
            rows.append(about | {"pair_id": str(number)} | decode.identify(path))
    return table.frame(rows)
