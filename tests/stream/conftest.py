"""What the tests of streams share: a branch without a model, and images in every form."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.detector import Detector
from aligngemini.fusion.rules import Fusion
from aligngemini.stream import items, listing

COUNT = 23


class Shade:
    """A branch whose score is the mean of a image; it stops the command before image number `stops`."""

    kind, name, crop, stops = "shade", "shade", 0, None

    def __init__(self):
        self.scored = 0

    def prepare(self, rgb, source=None, crop=0):
        return float(rgb.mean()) / 255

    def p_fake(self, views):
        if self.stops is not None and self.scored + len(views) > self.stops:
            raise KeyboardInterrupt
        self.scored += len(views)
        return np.array(views)

    def identity(self, crop=0):
        return {"branch": self.kind}


@pytest.fixture
def detector():
    return Detector([Shade()], Fusion("or", (0.5,)))


@pytest.fixture
def small(monkeypatch):
    """Chunks of four, parts of ten."""
    monkeypatch.setattr(items, "IMAGES", 4)
    monkeypatch.setattr(listing.write, "__defaults__", (10,))


def png(number):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), number * 10, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    for number in range(COUNT):
        path = tmp_path / "images" / str(number % 3) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    (tmp_path / "images" / "about.txt").write_text("words")
    return tmp_path / "images"


def shard(path, count=COUNT):
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            for suffix, data in ((".png", png(number)), (".cls", b"1"), (".json", b"{}")):
                member = tarfile.TarInfo(f"{number:03}{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def parquet(path, column):
    pd.DataFrame({"label": 0, "image": [column(png(number)) for number in range(COUNT)]}).to_parquet(
        path, row_group_size=10
    )
    return path


def table(folder):
    """All parts in order."""
    return pd.concat([pd.read_parquet(file) for file in sorted(folder.glob("part-*.parquet"))], ignore_index=True)
