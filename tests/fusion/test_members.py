"""The branches of notebook 04: those of runs bring their scores, the others are made and scored on the same images."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.branches import score_cache
from aligngemini.core.params import Refused
from aligngemini.fusion import members, outside
from aligngemini.fusion.rules import Fusion
from aligngemini.scores import table as scores
from aligngemini.scores import thresholds


@pytest.fixture(scope="module")
def joint():
    """Eight reals and eight fakes in each of two subsets."""
    rows = [
        (f"{subset}{label}{i}", subset, label) for subset in ("semantic", "pixel") for label in (0, 1) for i in range(8)
    ]
    return pd.DataFrame(rows, columns=["image_id", "subset", "label"])


@pytest.fixture(scope="module")
def table(joint):
    """Scores that are right on the pixel subset above 0.7, and on the semantic one above 0.2."""
    at = joint.subset.map({"semantic": 0.2, "pixel": 0.7})
    return scores.make(joint.image_id, at + np.where(joint.label == 1, 0.1, -0.1), "mine", "")


def test_a_threshold_is_chosen_on_the_images_of_its_own_axis(joint, table):
    assert members.threshold(table, joint, "pixel") == pytest.approx(0.7)
    assert members.threshold(table, joint, "semantic") == pytest.approx(0.2)
    assert members.threshold(table, joint, "") == thresholds.choose(joint.label, table.score).value


def test_a_branch_that_has_not_scored_both_classes_is_cut_at_one_half(joint, table):
    for rows in (table.head(0), table[joint.label == 1], table[joint.subset == "semantic"]):
        assert members.threshold(rows, joint, "pixel") == 0.5


def test_one_threshold_stands_for_all_branches():
    assert members.fixed([0.4], 3) == [0.4] * 3 and members.fixed([0.1, 0.2], 2) == [0.1, 0.2]


def test_the_description_holds_branches_thresholds_and_fusion(joint, table):
    branches = [
        members.Member("vlm", "vlm", "semantic", {"base": "b"}, "02_vlm_dpo/abc", 0.3, table, table, "drawn scenes"),
        members.Member("mine", "scores", "", {}, "", 0.5, table, table),
    ]
    fusion = Fusion("or", (0.2, 0.6))
    assert members.described(branches, [0.5, 0.6], fusion) == {
        "branches": [
            {"name": "vlm", "kind": "vlm", "supervision": "semantic", "facts": {"base": "b"}, "run": "02_vlm_dpo/abc"}
            | {"threshold": 0.2, "given": 0.5, "trained_on": "drawn scenes"},
            {
                "name": "mine",
                "kind": "scores",
                "supervision": "",
                "facts": {},
                "run": "",
                "threshold": 0.6,
                "given": 0.6,
                "trained_on": "",
            },
        ],
        "fusion": {"rule": "or", "thresholds": [0.2, 0.6], "fitted_on": None},
    }
    summary = members.summary(branches, joint)
    assert summary.title.to_dict() == {"vlm": "VLM", "mine": "mine"} and set(summary["joint images"]) == {32}


def test_a_branch_is_described_by_the_sources_of_its_own_training_set():
    data = {"scale": "photo", "plausible": "world", "implausible": "world", "photos": "data/raw/photos"}
    said = {name: outside.trained_on(name, data) for name in ("semantic", "pixel", "mixed")}
    assert said == {
        "semantic": "drawn scenes of scale photo",
        "pixel": "images of scale photo",
        "mixed": "images of scale photo, some of them drawn",
    }


IMAGES = pd.DataFrame({"image_id": list("abcd"), "label": [0, 1, 0, 1]})


def scored(**images: str) -> dict[str, pd.DataFrame]:
    """Score tables by name of branch, from the image_id that each has scored; an unreadable image does not count."""
    return {
        name: scores.make([*ids, "?"], [0.1] * len(ids) + [np.nan], name, "", [""] * len(ids) + ["it cannot be read"])
        for name, ids in images.items()
    }


def test_a_branch_that_has_scored_no_test_image_is_named():
    members.check_test(scored(vlm="ab", mine="bx"), IMAGES)
    with pytest.raises(Refused, match="none of the 4 test images has been scored by mine: see the reasons"):
        members.check_test(scored(vlm="ab", mine="x"), IMAGES)
    with pytest.raises(Refused, match="scored by all branches together"):
        members.check_test(scored(vlm="ab", mine="c"), IMAGES)


@pytest.mark.parametrize("rule", ["or_budget", "learned"])
def test_a_branch_without_joint_images_of_both_classes_is_named_where_the_rule_is_fitted(rule):
    members.check_joint(rule, scored(vlm="abcd", mine="abcd"), IMAGES)
    members.check_joint("or", scored(vlm="ac"), IMAGES)
    words = f"rule {rule} .* by the VLM 2 are real and 0 fake: score these images, or .* is not fitted .or, and, "
    with pytest.raises(Refused, match=words):
        members.check_joint(rule, scored(mine="abcd", vlm="ac"), IMAGES)
    with pytest.raises(Refused, match="by all branches together 1 are real and 0 fake"):
        members.check_joint(rule, scored(vlm="ab", mine="ad"), IMAGES)


def test_a_data_run_without_a_joint_set_passes_this_check_because_the_fit_refuses_it():
    members.check_joint("learned", scored(vlm=""), IMAGES.head(0))


def test_scores_of_a_branch_without_a_run_are_there_when_a_killed_notebook_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(score_cache, "PAUSE", -1)  # every batch is written at once
    monkeypatch.setattr(members.reading, "json", lambda path: {})
    rows, asked = [], []
    for i in range(40):
        Image.new("RGB", (8, 8), (i,) * 3).save(tmp_path / f"{i}.png")
        rows.append({"image_id": f"i{i}", "path": str(tmp_path / f"{i}.png"), "reason": "", "label": i % 2})

    class Slow:
        name, threshold = "slow", 0.5

        def prepare(self, rgb, source=None):
            return int(rgb[0, 0, 0])

        def p_fake(self, views):
            asked.append(len(views))
            if len(asked) == 2:
                raise KeyboardInterrupt
            return np.array(views) / 40

    def compute(name, function, *given):
        return function(*given) if name.endswith(".parquet") else tmp_path

    kind = SimpleNamespace(name="slow", file=False, load=lambda: SimpleNamespace(load=lambda *words: Slow()))
    choice = SimpleNamespace(kind=kind, name="slow", rest="", supervision="")
    run, test = SimpleNamespace(checkpoints=tmp_path / "checkpoints", data=None, compute=compute), pd.DataFrame(rows)
    with pytest.raises(KeyboardInterrupt):
        members.own(run, choice, test, test.head(0))
    assert members.own(run, choice, test, test.head(0)).test.score.tolist() == [i / 40 for i in range(40)]
    assert asked == [32, 8, 8]
