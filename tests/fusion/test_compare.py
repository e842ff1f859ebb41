"""Rules and branches side by side, by more than one choice of thresholds."""

import numpy as np
import pandas as pd
import pytest
import yaml

from aligngemini.fusion import compare
from aligngemini.scores import metrics
from aligngemini.workbook import paths, stages


@pytest.fixture(scope="module")
def joined():
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 100)
    scores = {f"{branch}_score": np.clip(rng.normal(0.2 + 0.3 * label, 0.1), 0, 1) for branch in ("vlm", "expert")}
    names = {"image_id": [f"i{n}" for n in range(200)], "pair_id": [f"p{n // 2}" for n in range(200)]}
    return pd.DataFrame({"benchmark": "b", "subset": np.repeat(["x", "y"], 100), "label": label} | names | scores)


def test_branches_and_rule_are_judged_by_each_choice_of_thresholds(joined):
    choices = {"published": {"vlm": 0.5, "expert": 0.5}, "validation": {"vlm": 0.35, "expert": 0.3}}
    found = compare.at_each(joined, "or", choices, 100).set_index(["title", "subset"]).value
    assert found.index.get_level_values(0).unique().tolist() == [
        f"{rule}, {name}" for name in choices for rule in ("vlm", "expert", "or")
    ]
    part = joined[joined.subset == "x"]
    for name, at in choices.items():
        fake = (part.vlm_score > at["vlm"]) | (part.expert_score > at["expert"])
        assert found[f"or, {name}", "x"] == metrics.accuracies(part.label, fake)["value"]


def test_another_rule_or_subset_changes_no_interval(joined):
    whole = compare.compare(joined, 0.35, 0.3, 200).set_index(["rule", "subset"])[["low", "high"]]
    part = compare.compare(joined[joined.subset == "y"], 0.35, 0.3, 200).set_index(["rule", "subset"])[["low", "high"]]
    pd.testing.assert_frame_equal(part.drop("mean", level=1), whole.loc[part.drop("mean", level=1).index])


def test_a_threshold_from_other_pictures_loses_what_their_own_would_have_kept(joined):
    moved = joined.assign(vlm_score=joined.vlm_score.where(joined.subset == "x", joined.vlm_score * 0.5))
    fakes = moved[(moved.subset == "x") & (moved.label == 1)].assign(subset="fakes")
    found = compare.misfit(pd.concat([moved, fakes]), "vlm", 0.35).set_index("subset")
    assert found.index.tolist() == ["x", "y"] and (found.best_value >= found.value).all()
    assert found.value["x"] > 0.9 and found.value["y"] < 0.6 and found.best_value["y"] > 0.9 > 0.3 > found.best["y"]


def test_the_paper_recipe_judges_by_the_published_thresholds():
    recipe = yaml.safe_load((paths.ROOT / "notebooks/recipes/paper/04_fusion.yaml").read_text())
    asked = stages.FusionParams(**recipe)
    assert (asked.thresholds, asked.vlm_threshold, asked.expert_threshold, asked.rule) == ("fixed", 0.5, 0.5, "or")
