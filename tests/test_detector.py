"""The public object on pictures that one branch cannot look at."""

import numpy as np
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.detector import SHIPPED, Detector


@pytest.fixture(scope="module")
def detector():
    return Detector.load()


@pytest.fixture
def odd(tmp_path):
    """A strip that no VLM takes between a picture as all others and the smallest one."""
    rng = np.random.default_rng(0)
    for name, size in (("a", (64, 64)), ("b", (10, 2100)), ("c", (1, 1))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_picture_that_one_branch_cannot_look_at_has_the_score_of_the_other(detector, odd):
    told = detector([odd])
    assert told.expert_score.notna().all() and told.vlm_score.notna().tolist() == [True, False, True]
    assert told.reason.tolist() == ["", "vlm: the VLM cannot look at it: aspect ratio above 200 (2100 x 10 px)", ""]
    assert told.verdict.isna().tolist() == [False, True, False] and told.fired[1] in ("", "expert")
    assert told.vlm_score[[0, 2]].tolist() == pytest.approx(
        detector([odd / "a.png", odd / "c.png"]).vlm_score, abs=1e-6
    )


def test_detect_explains_what_the_vlm_has_judged(odd, capsys):
    assert cli.main(["detect", "--run", "shipped", "--explain", "--json", str(odd)]) == 0
    said = [line.split('"explanation":')[1] for line in capsys.readouterr().out.splitlines()]
    assert [len(text) > 5 for text in said] == [True, False, True]


def test_what_is_kept_of_a_picture_is_what_the_branches_look_at(detector):
    rgb = np.zeros((1500, 2000, 3), np.uint8)
    crop, shown = detector.view("expert", rgb), detector.view("vlm", rgb)
    assert crop.shape == (112, 112, 3) and crop.base is None, "a view would keep the whole picture"
    assert shown.width * shown.height <= 12544


def test_a_picture_is_decoded_once_for_both_branches(detector, monkeypatch):
    from aligngemini.images import decode

    read, count = decode.read, []
    monkeypatch.setattr(decode, "read", lambda *given: count.append(1) or read(*given))
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:3]
    assert detector(files, batch_size=2).verdict.notna().all() and len(count) == 3
