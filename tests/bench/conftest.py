"""A detector that reads its scores off the colours, counts what it does, and benchmarks painted for it."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.bench import identity
from aligngemini.images import decode


class Colours:
    """VLM score: mean red; expert score: mean green. `looked` counts looks by branch; `fails` branch -> an error."""

    rule, thresholds, crop = "or", (0.5, 0.5), 16
    told = {"rule": rule, "thresholds": thresholds, "crop": crop}

    def __init__(self):
        self.looked, self.fails, self.version = Counter(), {}, 0

    def found(self, run):
        """This one; for "strict" another one, whose VLM accuses less."""
        if run != "strict":
            return self
        strict = Colours()
        strict.thresholds = (0.75, 0.5)
        return strict

    def view(self, branch, rgb, crop=0):
        return float(rgb[..., 0 if branch == "vlm" else 1].mean()) / 255

    def p_fake(self, branch, views):
        if branch in self.fails:
            raise self.fails[branch]
        self.looked[branch] += len(views)
        return np.array(views)


@pytest.fixture
def detector(monkeypatch, tmp_path):
    """A Colours that the command finds; caches and outputs lie in this test's folder."""
    import aligngemini.detector

    made = Colours()
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(aligngemini.detector, "Detector", made)
    monkeypatch.setattr(identity, "facts", lambda _, branch, crop=0: {"is": [branch, crop, made.version]})
    return made


@pytest.fixture
def decoded(monkeypatch):
    """Counts how often each file is decoded."""
    counts, read = Counter(), decode.read

    def counting(source, *rest):
        counts[str(source)] += 1
        return read(source, *rest)

    monkeypatch.setattr(decode, "read", counting)
    return counts


def _paint(path, red, green):
    """A grainy picture of 24 x 24 px with these mean shares of red and green, another one for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(list(str(path.name).encode())).integers(-9, 10, (24, 24, 3))
    Image.fromarray((grain + [255 * red, 255 * green, 99]).astype(np.uint8)).save(path)


@pytest.fixture
def paint():
    """Write a picture: (path, mean share of red, of green)."""
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
