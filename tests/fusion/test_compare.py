"""Rules and branches side by side, by more than one choice of thresholds."""

import numpy as np
import pandas as pd
import pytest
import yaml

from aligngemini.analysis import figures
from aligngemini.core import paths
from aligngemini.fusion import compare
from aligngemini.fusion.params import FusionParams
from aligngemini.fusion.rules import Fusion
from aligngemini.scores import metrics

NAMES = ["vlm", "expert"]


@pytest.fixture(scope="module")
def joined():
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 100)
    scores = {f"{branch}_score": np.clip(rng.normal(0.2 + 0.3 * label, 0.1), 0, 1) for branch in ("vlm", "expert")}
    names = {"image_id": [f"i{n}" for n in range(200)], "pair_id": [f"p{n // 2}" for n in range(200)]}
    return pd.DataFrame({"benchmark": "b", "subset": np.repeat(["x", "y"], 100), "label": label} | names | scores)


def test_branches_and_rule_are_judged_by_each_choice_of_thresholds(joined):
    choices = {name: (at, Fusion("or", at)) for name, at in (("published", (0.5, 0.5)), ("validation", (0.35, 0.3)))}
    found = compare.at_each(joined, NAMES, choices, 100).set_index(["title", "subset"]).value
    assert found.index.get_level_values(0).unique().tolist() == [
        f"{rule}, {name}" for name in choices for rule in ("VLM", "expert", "or")
    ]
    part = joined[joined.subset == "x"]
    for name, (at, _) in choices.items():
        fake = (part.vlm_score > at[0]) | (part.expert_score > at[1])
        assert found[f"or, {name}", "x"] == metrics.accuracies(part.label, fake)["value"]


def test_several_runs_of_a_kind_are_titled_by_number(joined):
    rows = joined.rename(columns={"vlm_score": "vlm_1_score", "expert_score": "vlm_2_score"})
    names, at = ["vlm_1", "vlm_2"], (0.5, 0.5)
    cut = compare.at_each(rows, names, {"published": (at, Fusion("or", at))}, 100)
    assert cut.title.unique().tolist() == ["VLM 1, published", "VLM 2, published", "or, published"]
    ranked = compare.compare(rows, names, at, compare.fusions(at), 100)
    assert [dots.name for dots in figures.subsets(ranked).data][:3] == ["VLM 1", "VLM 2", "or"]


def test_another_rule_or_subset_changes_no_interval(joined):
    rules = compare.fusions((0.35, 0.3))
    whole, part = (
        compare.compare(rows, NAMES, (0.35, 0.3), rules, 200).set_index(["rule", "subset"])[["low", "high"]]
        for rows in (joined, joined[joined.subset == "y"])
    )
    pd.testing.assert_frame_equal(part.drop("mean", level=1), whole.loc[part.drop("mean", level=1).index])


def test_a_threshold_from_other_pictures_loses_what_their_own_would_have_kept(joined):
    moved = joined.assign(vlm_score=joined.vlm_score.where(joined.subset == "x", joined.vlm_score * 0.5))
    fakes = moved[(moved.subset == "x") & (moved.label == 1)].assign(subset="fakes")
    found = compare.misfit(pd.concat([moved, fakes]), {"expert": 0.3, "vlm": 0.35})
    assert found.branch.tolist() == ["expert", "expert", "vlm", "vlm"]
    found = found[found.branch == "vlm"].set_index("subset")
    assert found.index.tolist() == ["x", "y"] and (found.best_value >= found.value).all()
    assert found.value["x"] > 0.9 and found.value["y"] < 0.6 and found.best_value["y"] > 0.9 > 0.3 > found.best["y"]


def test_the_table_of_both_sets_says_what_was_fitted_and_what_it_reaches(joined):
    validation = joined.assign(vlm_score=joined.vlm_score.to_numpy()[::-1], label=joined.label.to_numpy()[::-1])
    rules = compare.fusions((0.35, 0.3), validation[["vlm_score", "expert_score"]], validation.label, 0.02)
    table = compare.side_by_side({"validation": validation, "test": joined}, NAMES, (0.35, 0.3), rules).set_index(
        "rule"
    )
    assert list(table.index) == [*NAMES, *rules] and len(rules) == 8
    assert table.fitted[table.fitted != ""].to_dict() == {"or_budget": "thresholds", "learned": "model"}
    assert table["validation real_accuracy"]["or_budget"] >= 0.98
    for name, rows in (("validation", validation), ("test", joined)):
        verdict, _ = rules["or"](rows[["vlm_score", "expert_score"]])
        each = [
            metrics.accuracies(rows.label[at], verdict[at])["value"] for at in (rows.subset == "x", rows.subset == "y")
        ]
        assert table[f"{name} balanced_accuracy"]["or"] == pytest.approx(np.mean(each))


def test_without_a_validation_set_the_fitted_rules_are_absent(joined):
    assert {"or_budget", "learned"} & set(compare.fusions((0.35, 0.3))) == set()


def test_the_paper_recipe_judges_by_the_published_thresholds():
    recipe = yaml.safe_load((paths.ROOT / "notebooks/recipes/paper/04_fusion.yaml").read_text())
    asked = FusionParams(**recipe)
    assert (asked.thresholds, asked.fixed_thresholds, asked.rule) == ("fixed", [0.5], "or")
