"""Joining keeps every row, and says why one has no verdict."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.core.params import Refused
from aligngemini.fusion import compare, join
from aligngemini.fusion.rules import RULES, Fusion
from aligngemini.scores import table

NAMES = ["vlm", "expert"]


@pytest.fixture
def images():
    rows = [("s", "r1", 0), ("s", "f1", 1), ("s", "f2", 1), ("p", "r1", 0), ("p", "f3", 1), ("p", "f4", 1)]
    frame = pd.DataFrame(rows, columns=["subset", "image_id", "label"])
    return frame.assign(axis="none", family="", path="", reason=["", "", "", "", "", "file is empty"])


@pytest.fixture
def joined(images):
    vlm = table.make(["r1", "f1", "f2", "f3"], [0.2, 0.9, np.nan, 0.1], "vlm", "semantic", ["", "", "too small", ""])
    expert = table.make(["r1", "f1", "f2", "f9"], [0.1, 0.4, 0.8, 0.5], "expert", "pixel")
    return join.join(images, {"vlm": vlm, "expert": expert})


def compared(joined, thresholds, names=NAMES, resamples=200):
    return compare.compare(joined, names, thresholds, compare.fusions(thresholds), resamples=resamples)


def test_no_row_is_lost_and_every_gap_has_its_reason(images, joined):
    assert joined[["subset", "image_id"]].equals(images[["subset", "image_id"]])
    assert joined.reason.tolist() == [
        "",
        "",
        "vlm: too small",
        "",
        "expert: not in its score table",
        "file is empty; vlm: not in its score table; expert: not in its score table",
    ]
    assert join.missing(joined, NAMES).image_id.tolist() == ["f2", "f3", "f4"]


def test_or_gives_no_verdict_when_a_branch_is_missing(joined):
    fused = join.fuse(joined, Fusion("or", (0.5, 0.5)), NAMES)
    assert fused.verdict.isna().tolist() == fused.fused_score.isna().tolist() == [False, False, True, False, True, True]
    assert fused.verdict.dropna().tolist() == [0, 1, 0]
    assert fused.fired.tolist() == ["", "vlm", "expert", "", "", ""]


def test_fused_table_survives_parquet(joined, tmp_path):
    fused = join.fuse(joined, Fusion("mean", (0.5, 0.5)), NAMES)
    fused.to_parquet(tmp_path / "f.parquet", index=False)
    assert pd.read_parquet(tmp_path / "f.parquet").verdict.isna().sum() == 3


def test_refuses_a_row_that_stands_twice(images, joined):
    twice = pd.concat([images, images.tail(1)])
    with pytest.raises(Refused, match="twice"):
        join.join(twice, {"vlm": table.make(["a"], [0.1], "vlm", "mixed")})


def test_a_third_branch_has_its_own_column_and_its_own_gaps(images, joined):
    assert join.names(join.fuse(joined, Fusion("or", (0.5, 0.5)), NAMES)) == NAMES
    third = joined.assign(other_score=[0.9, 0.1, 0.9, np.nan, 0.2, 0.3])
    names = join.names(third)
    assert names == [*NAMES, "other"] and join.scored(third, names).tolist() == [True, True, False, False, False, False]
    fused = join.fuse(third, Fusion("majority", (0.5, 0.5, 0.5)), names)
    assert fused.verdict.dropna().tolist() == [0, 0] and fused.fired.tolist()[:3] == ["other", "vlm", "expert+other"]
    assert list(join.missing(third, names))[-4:] == ["vlm_score", "expert_score", "other_score", "reason"]


def test_what_all_branches_say_alike_is_about_the_image():
    assert join.reason({"vlm": "too small", "expert": "too small"}, NAMES) == "too small"
    assert join.reason({"vlm": "too small"}, NAMES) == "vlm: too small"
    assert join.reason({"vlm": "too small", "expert": "too small"}, [*NAMES, "other"]) == (
        "vlm: too small; expert: too small"
    )
    assert join.reason({None: "file is empty", "vlm": "x"}, NAMES) == "file is empty; vlm: x"


def test_every_rule_and_branch_on_every_subset(joined):
    rules = compared(joined, (0.5, 0.5))
    assert rules.rule.unique().tolist() == [*NAMES, *(name for name, rule in RULES.items() if not rule.fitted)]
    s = rules[(rules.subset == "s") & (rules.rule == "or")].iloc[0]
    assert (s.n, s.missing, s.value) == (2, 1, 1.0)
    p = rules[(rules.subset == "p") & (rules.rule == "or")].iloc[0]
    assert (p.n, p.missing, p.metric) == (1, 2, "specificity")
    assert rules[rules.subset == "mean"].missing.unique().tolist() == [3]
    assert rules.equals(compared(joined, (0.5, 0.5)))


def test_false_alarms_accumulate_under_or_only(joined):
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "subset": "s",
            "image_id": [f"i{i}" for i in range(n)],
            "label": np.arange(n) % 2,
            "vlm_score": rng.random(n),
            "expert_score": rng.random(n),
            "reason": "",
        }
    )
    rules = compared(frame, (0.7, 0.6), resamples=50).query("subset == 's'").set_index("rule")
    assert rules.real_accuracy["or"] <= min(rules.real_accuracy["vlm"], rules.real_accuracy["expert"])
    assert rules.fake_accuracy["or"] >= max(rules.fake_accuracy["vlm"], rules.fake_accuracy["expert"])
    assert rules.real_accuracy["and"] >= max(rules.real_accuracy["vlm"], rules.real_accuracy["expert"])
