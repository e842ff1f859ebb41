"""Sliders degrade one image, its pixels are shown at once, and every branch is asked again."""

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.explore import degradation
from aligngemini.fusion import strengths
from aligngemini.fusion.rules import Fusion
from aligngemini.images import degrade
from tests.small import CHAIN


class Judge:
    """A detector of one branch, p(fake) being the contrast; it counts how often it is asked."""

    names, fusion, asked = ["vlm"], SimpleNamespace(thresholds=(0.25,)), 0

    def __call__(self, images):
        self.asked += 1
        score = np.asarray(images[0]).std() / 255
        row = {"vlm_score": score, "verdict": int(score > 0.25), "fired": "vlm" if score > 0.25 else "", "reason": ""}
        return pd.DataFrame([row])

    def remark(self, table):
        return "trained on nothing like it"


class SmallBranch:
    """A branch that gives every image the same score."""

    name, crop = "vlm", 0

    def prepare(self, rgb, source=None, crop=0):
        return rgb

    def p_fake(self, views):
        return np.full(len(views), 0.7)


@pytest.fixture
def judge(monkeypatch):
    made = Judge()
    monkeypatch.setattr(degradation, "detector", lambda run: made)
    return made


@pytest.fixture
def run(tmp_path):
    rows, axes = [], list(strengths.KINDS)
    for place, example in enumerate(strengths.KINDS.values()):
        pixels = np.random.default_rng(place).integers(0, 255, (40, 600, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
        rows += [
            (example, str(tmp_path / f"{place}.png"), share, "vlm", 1 - share, "", "VLM", 0.25) for share in (0.0, 1.0)
        ]
    table = pd.DataFrame(rows, columns=strengths.COLUMNS)
    values.write(tmp_path / "strengths.parquet", table)
    fused = table.drop_duplicates("path")[["path"]].assign(axis=axes, label=1, verdict=1)
    values.write(tmp_path / "fused.parquet", fused)
    return SimpleNamespace(folder=tmp_path, path=tmp_path.joinpath, data=SimpleNamespace(params=CHAIN))


def test_it_opens_on_a_pixel_fake_as_it_is_and_loads_no_branch(run, judge):
    explorer = degradation.Explorer(run)
    assert explorer.image.label == "a pixel fake" and judge.asked == 0 and "first change" in explorer.said.value
    assert np.array_equal(explorer.degraded, explorer.rgb) and explorer.rgb.shape == (40, 512, 3)
    assert explorer.shown.value.count("<img") == 5
    numbers = (explorer.whole, *explorer.four.values())
    assert all(each.slider.tooltip and each.slider.description and each.typed.tooltip for each in numbers)


def test_the_first_slider_moves_the_other_four_along_the_chain_and_asks_once(run, judge):
    explorer = degradation.Explorer(run)
    before = explorer.shown.value
    explorer.whole.value = 1.0
    assert [slider.value for slider in explorer.four.values()] == [0.5, 6.0, 0.75, 50]
    assert judge.asked == 1 and "<b>real</b>" in explorer.said.value and explorer.shown.value != before
    assert "trained on nothing like it" in explorer.said.value
    explorer.whole.value = 0.0
    assert {name: slider.value for name, slider in explorer.four.items()} == degrade.UNCHANGED
    assert "<b>fake</b>, by the VLM" in explorer.said.value and explorer.shown.value == before


def test_one_slider_alone_counts_too(run, judge):
    explorer = degradation.Explorer(run)
    explorer.four["blur"].slider.value = 3.0
    assert judge.asked == 1 and "<b>real</b>" in explorer.said.value
    explorer.four["blur"].typed.value = 0.0
    assert judge.asked == 2 and explorer.four["blur"].slider.value == 0 and "<b>fake</b>" in explorer.said.value


def test_an_image_of_ones_own_comes_by_path_or_upload_and_a_bad_one_is_said_to_be_bad(run, judge, tmp_path):
    explorer = degradation.Explorer(run)
    explorer.given.path.value = str(tmp_path / "2.png")
    assert np.array_equal(explorer.rgb, np.asarray(Image.open(tmp_path / "2.png"))[:, 44:556]) and judge.asked == 1
    content = memoryview((tmp_path / "0.png").read_bytes())
    explorer.given.upload.value = (
        {"name": "0.png", "type": "image/png", "size": 9, "content": content, "last_modified": datetime.now()},
    )
    assert np.array_equal(explorer.rgb, np.asarray(Image.open(tmp_path / "0.png"))[:, 44:556])
    explorer.given.path.value = str(tmp_path / "none.png")
    assert "cannot be read" in explorer.said.value


def test_the_static_figure_has_a_panel_for_each_image_and_a_run_without_the_table_is_refused(run, tmp_path):
    figure = degradation.picture(run)
    assert len(figure.data) == len(strengths.KINDS) and {each.text for each in figure.layout.annotations} >= set(
        strengths.KINDS.values()
    )
    with pytest.raises(Refused, match="strengths"):
        degradation.picture(SimpleNamespace(path=(tmp_path / "other").joinpath))


def test_an_image_of_a_few_rows_is_judged(run, monkeypatch):
    detector = Detector([SmallBranch()], Fusion("or", (0.5,)))
    monkeypatch.setattr(degradation, "detector", lambda run: detector)
    explorer = degradation.Explorer(run)
    Image.new("RGB", (1, 1)).save(run.path("tiny.png"))
    explorer.take(str(run.path("tiny.png")))
    assert "no score" not in explorer.said.value and "0.700" in explorer.said.value
