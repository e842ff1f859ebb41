"""Images of one's own are judged, with the evidence of a branch that looks at a crop and what deleting it does."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.detector import Detector
from aligngemini.explore import judge
from aligngemini.fusion.rules import Fusion


class Bright:
    """A branch that takes the share of white pixels in a crop of 64 px for evidence of a fake."""

    name, crop, base = "expert", 64, {}

    def prepare(self, rgb, source=None, crop=0):
        return rgb[:64, :64].copy()

    def p_fake(self, views):
        return np.array([1 - np.exp(-60 * (np.asarray(view) > 200).mean()) for view in views])


class Run:
    """A run whose data run gives the names of its tables for their paths."""

    data = SimpleNamespace(path=str)


@pytest.fixture(autouse=True)
def detector(monkeypatch):
    made = Detector([Bright()], Fusion("or", (0.5,)))
    monkeypatch.setattr(judge, "detector", lambda run: made)
    return made


@pytest.fixture
def spot(tmp_path):
    """A dark image with a square of 16 px of white stripes, at rows 24 to 40 and columns 8 to 24."""
    rgb = np.full((64, 64, 3), 30, np.uint8)
    rgb[24:40, 8:24:2] = 255
    Image.fromarray(rgb).save(tmp_path / "spot.png")
    return tmp_path / "spot.png"


def test_the_evidence_lies_where_it_is_and_deleting_it_lowers_the_score_more_than_deleting_others(spot):
    rgb, branch = np.asarray(Image.open(spot)), Bright()
    heat = judge.evidence(branch, rgb, 8)
    assert {*map(tuple, np.argwhere(heat > 0.01))} <= {(row, column) for row in (3, 4) for column in (1, 2)}
    shown, line = judge.evidence_of(branch, rgb)
    assert shown.shape == (64, 64, 3) and "without the 6 squares" in line
    top, others = judge.deleted(branch, rgb, heat, 8)
    assert top < others - 0.2 < branch.p_fake([rgb])[0]


def test_a_path_a_folder_and_an_upload_are_judged_and_a_bad_file_is_named(spot):
    assert "<b>fake</b>, by the expert" in judge.page(None, [str(spot)])
    assert judge.page(None, [spot.read_bytes()]).count("<img") == 2
    (spot.parent / "bad.png").write_bytes(b"no image")
    page = judge.page(None, [str(spot.parent)])
    assert page.count("<b>fake</b>") == 1 and page.count("<b>no verdict</b>") == 1 and "cannot be shown" in page


def test_where_no_pixel_fake_is_found_the_page_says_so_and_with_one_it_is_judged(spot, monkeypatch):
    fused = pd.DataFrame({"axis": ["semantic", "pixel"], "verdict": pd.array([1, 0], "Int64"), "path": str(spot)})
    monkeypatch.setattr(judge.values, "read", lambda *given, **options: fused)
    assert judge.picture(Run.data).data == "No pixel fake of the test is found."
    fused["verdict"] = pd.array([0, 1], "Int64")
    assert "by the expert" in judge.picture(Run.data).data


def test_the_widget_judges_what_is_typed(spot):
    given, alike, found, shown = judge.judge(None).children
    given.path.value = str(spot)
    assert "<b>fake</b>" in shown.value and "red speaks for fake" in shown.value and alike.tooltip
    verdict = shown.value
    alike.click()
    assert "No branch of this run has a base" in found.value and shown.value == verdict
    given.path.value = str(spot.parent)
    assert not found.value


def test_known_images_are_found_by_the_features_of_the_base(spot, monkeypatch, detector):
    detector.branches[0].base = {"base": "x", "revision": ""}
    images = judge.pd.DataFrame([{"path": str(spot), "label": 1, "axis": "pixel", "family": "", "split": "test"}] * 3)
    monkeypatch.setattr(judge, "known", lambda run, branch: (np.array([[1.0, 0], [0.6, 0.8], [0, 1]]), images))
    monkeypatch.setattr(judge, "_features", lambda branch, images: np.array([[0.0, 1]]))
    page = judge.similar(SimpleNamespace(), str(spot))
    assert page.index("cosine 1.00") < page.index("cosine 0.80") < page.index("cosine 0.00")
    assert page.count("test: fake, pixel") == 3


def test_training_and_test_images_are_compared_but_none_of_validation(spot, monkeypatch):
    splits = {"semantic": ["train", "validation"], "pixel": ["train", "train"], "test": ["test"]}
    tables = {
        f"{name}.parquet": judge.pd.DataFrame(
            {"path": str(spot), "reason": "", "split": each, "image_id": [f"{name}{i}" for i in range(len(each))]}
        )
        for name, each in splits.items()
    }
    monkeypatch.setattr(judge, "load", tables.get)
    monkeypatch.setattr(judge, "_features", lambda branch, images: np.ones((len(images), 2)))
    features, rows = judge.known(Run(), Bright())
    assert sorted(rows.split) == ["test", "train", "train", "train"] and len(features) == 4


def test_a_folder_without_an_image_is_answered_by_a_sentence(tmp_path):
    (tmp_path / "<b>").mkdir()
    page = judge.page(None, [str(tmp_path / "<b>")])
    assert "There is no image under" in page and "&lt;b&gt;" in page


def test_nothing_is_compared_with_what_is_no_image(tmp_path, detector):
    detector.branches[0].base = {"base": "x", "revision": ""}
    assert "a folder, not a file" in judge.similar(None, str(tmp_path))
