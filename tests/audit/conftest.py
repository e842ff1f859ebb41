"""The audit is tested on the images and runs that the tests of images make, and on pairs of files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.images import decode, jpeg, table
from aligngemini.scores import cv_auroc
from tests.images.conftest import new_run, picture, saved

__all__ = ["new_run", "picture", "saved"]
MANY = 12  # pictures of each class


def scene(width, height, seed):
    """A picture with enough structure for its looks to survive compression: uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return (smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def two_folds(monkeypatch):
    """Cross-validation in two folds instead of five: what is planted here is as plain in these."""
    monkeypatch.setattr(cv_auroc, "FOLDS", 2)


@pytest.fixture
def lay(tmp_path):
    """A labelled folder of MANY pictures a class; `write(rgb)` makes the bytes of a fake, `plain` those of a real."""

    def make(write=lambda rgb: jpeg.encode(rgb, 90), plain=lambda rgb: jpeg.encode(rgb, 90), name="set", start=0):
        root = tmp_path / name
        for number in range(2 * MANY):
            label = number % 2
            folder = root / ("0_real", "1_fake")[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.img.jpg").write_bytes((plain, write)[label](scene(48, 40, start + number)))
        return root

    return make


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
