"""Detectors that read their scores off the colours and count what they do, and benchmarks painted for them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.detector import Detector
from aligngemini.fusion.rules import Fusion
from aligngemini.images import decode
from aligngemini.images.header import Unreadable


class Tint:
    """A branch whose score is the mean share of a colour: 0 red, 1 green, 2 blue.

    `looked` counts looks by branch, `sides` are the crops that it was asked for. `fails` is an exception that it
    raises, `refuses` says of uint8 [H, W, 3] why it cannot look; `version` stands for its weights.
    """

    kind = "tint"

    def __init__(self, name, colour, looked, crop=0):
        self.name, self.colour, self.looked, self.crop = name, colour, looked, crop
        self.fails, self.refuses, self.version, self.sides = None, lambda rgb: "", 0, set()

    def prepare(self, rgb, source=None, crop=0):
        self.sides.add(crop)
        if why := self.refuses(rgb):
            raise Unreadable(why)
        return float(rgb[..., self.colour].mean()) / 255

    def p_fake(self, views):
        if self.fails:
            raise self.fails
        self.looked[self.name] += len(views)
        return np.array(views)

    def identity(self, crop=0):
        return {"branch": self.kind, "colour": self.colour, "crop": crop or self.crop, "version": self.version}


class Listed:
    """A branch with scores of files, by the stem of their names: of pixels that were changed it has none."""

    kind, crop = "listed", 0

    def __init__(self, name, scores):
        self.name, self.scores = name, scores

    def prepare(self, rgb, source=None, crop=0):
        if source is None:
            raise Unreadable("it has scores of files, and these pixels were changed")
        if Path(source).stem not in self.scores:
            raise Unreadable("it has no score of this file")
        return self.scores[Path(source).stem]

    def p_fake(self, views):
        return np.array(views, dtype=np.float64)

    def identity(self, crop=0):
        return {"branch": self.kind, "scores": self.scores}


@pytest.fixture
def looked():
    """How many looks each Tint has had, by name."""
    return Counter()


@pytest.fixture
def tint(looked):
    """Make a Tint: (name, colour, crop)."""
    return lambda name, colour, crop=0: Tint(name, colour, looked, crop)


@pytest.fixture
def listed():
    """Make a branch of scores of files: (name, scores by stem)."""
    return Listed


@pytest.fixture
def judge(monkeypatch, tmp_path):
    """Make a detector, which the command finds under the name `run`: (branches, run, rule, thresholds, fitted_on).
    Caches and outputs lie in this test's folder."""
    made = {}
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(Detector, "found", lambda run="": made[run])

    def make(*branches, run="", rule="or", thresholds=None, fitted_on=None):
        made[run] = Detector(branches, Fusion(rule, thresholds or (0.5,) * len(branches), fitted_on))
        return made[run]

    return make


@pytest.fixture
def detector(judge, tint):
    """VLM: red, expert: green, at a crop of 16 px. The one found as "strict" has a VLM that accuses less."""
    branches = tint("vlm", 0), tint("expert", 1, 16)
    judge(*branches, run="strict", thresholds=(0.75, 0.5))
    return judge(*branches)


@pytest.fixture
def decoded(monkeypatch):
    """Counts how often each file is decoded."""
    counts, read = Counter(), decode.read

    def counting(source, *rest):
        counts[str(source)] += 1
        return read(source, *rest)

    monkeypatch.setattr(decode, "read", counting)
    return counts


def _paint(path, red, green, blue=0.39, side=24):
    """A grainy square picture with these mean shares of red, green and blue, another one for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(list(str(path.name).encode())).integers(-9, 10, (side, side, 3))
    Image.fromarray((grain + [255 * red, 255 * green, 255 * blue]).astype(np.uint8)).save(path)


@pytest.fixture
def paint():
    """Write a picture: (path, mean share of red, of green, of blue, side in px)."""
    return _paint


@pytest.fixture
def benchmark(tmp_path):
    """Two subsets: `hard`, where either branch errs, and `easy`."""
    root = tmp_path / "two"
    for place, colours in {
        "hard/0_real": [(0.2, 0.3), (0.7, 0.1)],
        "hard/1_fake": [(0.9, 0.2), (0.3, 0.8)],
        "easy/0_real": [(0.1, 0.15), (0.12, 0.1)],
        "easy/1_fake": [(0.9, 0.85), (0.88, 0.9)],
    }.items():
        for number, (red, green) in enumerate(colours):
            _paint(root / place / f"{place.replace('/', '_')}_{number}.png", red, green)
    return root


@pytest.fixture
def bench(tmp_path):
    """Run the command on a folder: words -> exit code; tables lie in tmp_path/out."""
    return lambda root, *words: cli.main(["bench", "--benchmark", str(root), "--out", str(tmp_path / "out"), *words])
