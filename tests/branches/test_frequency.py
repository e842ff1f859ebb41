"""The frequency baseline learns what decoders leave, looks at any size, and says so where it cannot."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aligngemini.branches import registry, scoring
from aligngemini.branches.frequency import RINGS, Frequency
from aligngemini.core import paths
from aligngemini.core.params import Refused
from aligngemini.images import table
from aligngemini.images.header import Unreadable
from tests import pixel_run

PAIRS = 16


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return pixel_run.make(tmp_path_factory.mktemp("data"), "spectrum", PAIRS, ("train", "validation"))


@pytest.fixture(scope="module")
def branch(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("frequency")
    facts = registry.kind("frequency").load().fit("", data, out)
    assert facts == {"images": PAIRS, "options": ""}
    return Frequency.load(facts, out, "frequency")


def test_it_tells_reconstructions_from_photographs_that_it_was_not_fitted_on(branch, data):
    rows = table.load(data.path("pixel.parquet")).query("split == 'validation'")
    before = branch.identity()
    found = scoring.table(rows, branch, "pixel", 8)
    wins = found.score.to_numpy()[1::2] > found.score.to_numpy()[::2]
    assert wins.sum() >= 0.8 * len(wins) and found.score.between(0, 1).all()
    assert branch.identity() == before, "scoring changes no weight"
    again = scoring.table(rows.iloc[::-1], branch, "pixel", 3).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, found)


def test_it_looks_at_the_centre_of_any_size_from_the_least(branch):
    rgb = np.random.default_rng(0).integers(0, 256, (400, 2 * RINGS + 300, 3), np.uint8)
    large, least = branch.prepare(rgb), branch.prepare(rgb[: 2 * RINGS])
    assert large.shape == least.shape == (RINGS - 1,) and np.isfinite([large, least]).all()
    assert np.abs(large - least).max() < 1, "noise has the same power at every size"
    assert (branch.prepare(rgb, None, 112) != large).any() and branch.identity(112)["crop"] == 112
    with pytest.raises(Unreadable, match="smaller than 32 px"):
        branch.prepare(rgb[: 2 * RINGS - 1])


def test_a_set_without_both_classes_is_refused(data, tmp_path):
    rows = table.load(data.path("pixel.parquet")).query("label == 0")
    rows.to_parquet(tmp_path / "pixel.parquet", index=False)
    with pytest.raises(Refused, match="needs real and fake images"):
        Frequency.fit("", SimpleNamespace(path=tmp_path.joinpath), tmp_path)


@pytest.mark.parametrize("text", [None, "", "[]", '{"weights": [1.0], "bias": 0.5}'])
def test_damaged_weights_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "weights.json").write_text(text)
    with pytest.raises(Refused, match="holds no frequency baseline"):
        Frequency.load({}, tmp_path, "frequency")


def test_the_whole_baseline_is_short():
    assert len((paths.PACKAGE / "branches" / "frequency.py").read_text().splitlines()) <= 60
