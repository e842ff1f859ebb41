"""The branches of notebook 04: those of runs bring their scores, the others are made and scored on the same images."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.fusion import members
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
        members.Member("vlm", "vlm", "semantic", {"base": "b"}, "02_vlm_dpo/abc", 0.3, table, table),
        members.Member("mine", "scores", "", {}, "", 0.5, table, table),
    ]
    fusion = Fusion("or", (0.2, 0.6))
    assert members.described(branches, [0.5, 0.6], fusion) == {
        "branches": [
            {"name": "vlm", "kind": "vlm", "facts": {"base": "b"}, "run": "02_vlm_dpo/abc"}
            | {"threshold": 0.2, "given": 0.5},
            {"name": "mine", "kind": "scores", "facts": {}, "run": "", "threshold": 0.6, "given": 0.6},
        ],
        "fusion": {"rule": "or", "thresholds": [0.2, 0.6], "fitted_on": None},
    }
    summary = members.summary(branches, joint)
    assert summary.title.to_dict() == {"vlm": "VLM", "mine": "mine"} and set(summary["joint images"]) == {32}
