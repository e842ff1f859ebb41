"""What the runs of a sweep say besides accuracy."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.analysis import study_tables
from aligngemini.core import stages, values
from aligngemini.images import table as images
from aligngemini.scores import table as score_table


def test_the_purity_of_training_sets_is_gathered_over_seeds(run_of):
    made = [
        run_of(notebook, seed=seed, supervision="pixel", results=results)
        for seed in (0, 1)
        for notebook, results in [
            (stages.DATA, {"semantic: pixel probe auroc": 0.5 + seed / 10, "semantic_images": 9}),
            (stages.VLM, {"description_auroc": 0.6, "threshold": 0.5}),
            (stages.EXPERT, {"threshold": 0.5}),
        ]
    ]
    probes = study_tables.probes(made)
    assert probes[["training set", "probe"]].to_numpy().tolist() == [
        ["semantic", study_tables.STATISTICS], ["pixel", study_tables.WORDS]
    ]  # fmt: skip
    assert probes["mean"].tolist() == pytest.approx([0.55, 0.6]) and probes.n.tolist() == [2, 2]


def test_both_pixel_probes_stand_side_by_side_on_training_sets_and_behind_the_degradation(run_of):
    results = {"semantic: pixel probe auroc": 0.5, "semantic: pixel network auroc": 0.6}
    run = run_of(stages.DATA, results=results)
    strength = pd.DataFrame({"share": [0.0, 1.0], "auroc": [1.0, 0.7], "network_auroc": [1.0, 0.8]})
    strength.to_parquet(run.answer.folder / "strength.parquet")
    probes = study_tables.probes([run]).set_index(["training set", "probe"])["mean"]
    assert probes.to_dict() == {
        ("semantic", study_tables.STATISTICS): 0.5,
        ("semantic", study_tables.NETWORK): 0.6,
        (study_tables.BEHIND, study_tables.STATISTICS): 0.7,
        (study_tables.BEHIND, study_tables.NETWORK): 0.8,
    }


def test_a_probe_that_could_not_be_asked_has_no_row(run_of):
    assert study_tables.probes([run_of(stages.VLM, results={"description_auroc": None})]).empty


def _fusion(run, learned: float = 0.9, validation: bool = True):
    """Give a run of notebook 04 what `rules` reads: accuracies on the world, and all .1 less on degraded images."""
    levels = {"vlm": 0.8, "or": 0.9, "learned": learned}
    places = {"world": 0.0, "world, degraded": 0.1}
    rows = [
        {"rule": rule, "benchmark": place, "subset": "mean", "balanced_accuracy": level - less, "real_accuracy": 0.9}
        for rule, level in levels.items()
        for place, less in places.items()
    ]
    pd.DataFrame([*rows, rows[0] | {"subset": "pixel"}]).to_parquet(run.answer.folder / "rules.parquet")
    sides = pd.DataFrame({"rule": list(levels)})
    if validation:
        sides = sides.assign(**{f"validation {name}": 0.95 for name in ("balanced_accuracy", "real_accuracy")})
    sides.to_parquet(run.answer.folder / "sides.parquet")
    members = [{"name": "vlm", "kind": "vlm", "threshold": 0.5, "run": "x"}]
    values.write(run.answer.folder / "detector.json", {"branches": members})
    return run


def test_rules_are_measured_on_validation_and_on_every_benchmark(run_of):
    made = [
        _fusion(run_of(stages.FUSION, seed=seed, learner=learner, point=f"learner {learner}"), learned)
        for seed in (0, 1)
        for learner, learned in (("logistic", 0.92), ("boosting", 0.88))
    ]
    rules = study_tables.rules(made)
    assert (rules.n == 2).all() and not rules.duplicated(["rule", "metric", "measured on", "against"]).any()
    mean = rules[rules.metric == "balanced accuracy"].set_index(["rule", "measured on", "against"])["mean"]
    assert mean["or", "validation", ""] == 0.95 and mean["or", "world, degraded", ""] == pytest.approx(0.8)
    assert mean["or", "world", "validation"] == pytest.approx(-0.05)
    assert mean["or", "world, degraded", study_tables.BETTER] == pytest.approx(0.1)
    assert mean["learned (logistic)", "world", ""] == 0.92 and mean["learned (boosting)", "world", ""] == 0.88
    assert "VLM" in set(rules.rule) and ("VLM", "world", study_tables.BETTER) not in mean.index


def test_rules_without_a_joint_validation_set_are_measured_on_the_test_alone(run_of):
    rules = study_tables.rules([_fusion(run_of(stages.FUSION), validation=False)])
    assert set(rules["measured on"]) == {"world", "world, degraded"} and set(rules.against) == {
        "",
        study_tables.BETTER,
    }


def test_fakes_that_no_branch_finds_are_counted_by_what_is_wrong_with_them(run_of, fusion):
    run = run_of(stages.FUSION)
    axes = ["none", "none", "semantic", "semantic", "pixel", "pixel"]
    fused = pd.DataFrame({"image_id": list("abcdef"), "axis": axes, "benchmark": "world", "subset": "all"})
    fused = fused.assign(vlm_score=[0.1, 0.1, 0.9, 0.1, 0.1, 0.1], expert_score=[0.1, 0.9, 0.1, 0.1, 0.9, 0.1])
    fused["verdict"] = pd.array([0, 1, 1, 0, 1, 0], dtype="Int8")
    again = fused[fused["axis"] == "none"].assign(subset="more")  # the same reals in another subset
    branches = [{"name": name, "threshold": 0.5} for name in ("vlm", "expert")]
    fusion(run.answer.folder, pd.concat([fused, again], ignore_index=True), branches, {})
    found = study_tables.found([run]).set_index(["fakes", "found by"])["mean"].unstack()
    assert found.loc["semantic", ["VLM", "expert", "fusion", study_tables.NOBODY]].tolist() == [0.5, 0, 0.5, 0.5]
    assert found.loc["pixel", ["VLM", "expert", "fusion", study_tables.NOBODY]].tolist() == [0, 0.5, 0.5, 0.5]
    assert found.loc[study_tables.REALS, "expert"] == 0.5 and found.loc[study_tables.REALS, study_tables.NOBODY] == 0.5


@pytest.fixture
def twins(tmp_path):
    """Three pairs of 20 x 20 px whose fakes differ from their twins in 1 %, 10 % and 50 % of the pixels."""
    rows = []
    for pair, count in enumerate((4, 40, 200)):
        for label in (0, 1):
            rgb = np.full((400, 3), 100, np.uint8)
            rgb[: count * label] = 200
            rgb[count * label : 2 * count * label] = 110  # as little as JPEG changes
            path = tmp_path / f"{pair}{label}.png"
            Image.fromarray(rgb.reshape(20, 20, 3)).save(path)
            about = {"image_id": path.stem, "path": str(path), "label": label, "axis": ("none", "semantic")[label]}
            rows.append(about | {"subset": "semantic", "benchmark": "world", "split": "test", "pair_id": str(pair)})
    return images.frame(rows)


def test_violations_are_graded_by_the_share_of_pixels_that_they_change(twins, run_of):
    assert study_tables.changed(twins).to_dict() == pytest.approx({"01": 0.01, "11": 0.1, "21": 0.5})
    data = run_of(stages.DATA)
    values.write(data.answer.folder / "test.parquet", twins)
    vlm = run_of(stages.VLM, supervision="semantic", results={"threshold": 0.5})
    scores = score_table.make(twins.image_id, [0.1, 0.2, 0.1, 0.9, 0.1, 0.9], "vlm", "semantic")
    scores.to_parquet(vlm.answer.folder / "scores.parquet")
    grades = study_tables.grades([data, vlm])
    assert grades.changed.tolist() == list(study_tables.GRADES) and grades["mean"].tolist() == [0, 1, 1]
