"""Three images behind more and more of the degradation, scored by the branches of a run."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.core import json_file
from aligngemini.fusion import strengths
from tests.small import CHAIN


class Contrast:
    """A branch that takes the contrast of an image for p(fake): the degradation lowers it."""

    name = "contrast"

    def prepare(self, rgb, source=None, crop=0):
        assert source is None  # a file of scores must not answer for pixels that were changed
        return rgb.std() / 255

    def p_fake(self, views):
        return np.array(views)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(strengths, "branches", lambda run: [Contrast()])
    json_file.write(tmp_path / "detector.json", {"branches": [], "fusion": {}})
    config = SimpleNamespace(fusion={"thresholds": [0.25]})
    monkeypatch.setattr(strengths.description, "read", lambda folder: config)
    return SimpleNamespace(folder=tmp_path, params={"degrade_examples": True}, data=SimpleNamespace(params=CHAIN))


@pytest.fixture
def fused(tmp_path):
    rng, rows = np.random.default_rng(0), []
    for place, axis in enumerate(["none", "none", "pixel", "semantic", "semantic"]):
        path = tmp_path / f"{place}.png"
        Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(path)
        rows.append({"image_id": str(place), "path": str(path), "axis": axis, "label": int(axis != "none")})
    verdict = pd.array([1, 0, 1, pd.NA, 1], dtype="Int8")
    return pd.DataFrame(rows).assign(verdict=verdict)


def test_the_examples_are_the_first_of_each_kind_that_is_judged_rightly(fused):
    chosen = strengths.examples(fused)
    assert chosen.image_id.tolist() == ["1", "2", "4"]
    assert chosen.example.tolist() == ["a real image", "a pixel fake", "a semantic fake"]


def test_every_example_has_a_score_of_every_branch_at_every_strength_which_it_loses(run, fused):
    table = strengths.measure(run, fused)
    assert len(table) == 3 * len(strengths.SHARES) and (table.reason == "").all()
    assert set(table.title) == {"contrast"} and (table.threshold == 0.25).all()
    for _, rows in table.groupby("example"):
        assert rows.share.tolist() == list(strengths.SHARES)
        assert rows.score.iloc[0] > 0.25 > rows.score.iloc[-1]


def test_what_cannot_be_read_has_a_reason_and_no_score(run, fused, tmp_path):
    (tmp_path / "2.png").write_bytes(b"no image")
    table = strengths.measure(run, fused)
    lost = table[table.example == "a pixel fake"]
    assert lost.score.isna().all() and (lost.reason != "").all()
    assert table.score.notna().sum() == 2 * len(strengths.SHARES)


def test_without_any_right_verdict_one_image_of_each_kind_is_taken(fused):
    wrong = fused.assign(
        verdict=pd.array([pd.NA] * 5, dtype="Int8"), axis=["none", "unknown", "pixel", "pixel", "none"]
    )
    assert strengths.examples(wrong).image_id.tolist() == ["0", "2", "1"]


def test_a_run_that_does_without_strengths_loads_no_branch(run, fused, monkeypatch):
    monkeypatch.setattr(strengths, "branches", lambda run: pytest.fail("loaded"))
    run.params["degrade_examples"] = False
    assert strengths.measure(run, fused).empty
