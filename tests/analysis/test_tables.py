"""The tables count every verdict once and say what is missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from aligngemini.analysis import figures, pairs, tables
from aligngemini.analysis import models as compared
from aligngemini.scores import intervals, metrics


@pytest.fixture(scope="module")
def aligned(verdicts):
    return tables.alignment(verdicts, resamples=200)


def test_alignment_has_every_model_on_every_subset(aligned):
    assert aligned.title.unique().tolist() == [
        "VLM, semantic",
        "VLM, mixed",
        "expert, pixel",
        "expert, mixed",
        "fusion (or)",
    ]
    assert aligned.groupby("title", sort=False).subset.agg(list).tolist() == [["semantic", "pixel", "both", "mean"]] * 5
    assert dict(zip(aligned.subset, aligned["axis"], strict=True)) == {
        "semantic": "semantic",
        "pixel": "pixel",
        "both": "both",
        "mean": "all",
    }
    assert ((aligned.low <= aligned.value) & (aligned.value <= aligned.high)).all()


def test_alignment_agrees_with_scikit_learn(aligned, verdicts):
    row = aligned[(aligned.title == "VLM, mixed") & (aligned.subset == "semantic")].iloc[0]
    part = verdicts[(verdicts.title == "VLM, mixed") & (verdicts.subset == "semantic")]
    assert row.value == pytest.approx(balanced_accuracy_score(part.label, part.verdict.astype(int)))
    assert row.auroc == pytest.approx(roc_auc_score(part.label, part.score))
    assert row.n == len(part) == 120


def test_missing_scores_are_counted_not_judged(images, models):
    scores = models[0].scores.copy()
    scores.loc[scores.image_id == "real00000", ["score", "reason"]] = [np.nan, "too small"]
    scores = scores[scores.image_id != "pixel00001"]
    judged = tables.judged(images, [models[0]._replace(scores=scores)])
    assert len(judged) == len(images)
    lost = judged[judged.verdict.isna()]
    assert sorted(lost.reason.unique()) == ["not in the score table", "too small"] and len(lost) == 4
    table = tables.alignment(judged, resamples=50).set_index("subset")
    assert table.missing.to_dict() == {"semantic": 1, "pixel": 2, "both": 1, "mean": 4}
    assert table.n.to_dict() == {"semantic": 119, "pixel": 118, "both": 119, "mean": 238}


def test_two_runs_of_one_supervision_keep_apart(images, models):
    again = models[0]._replace(run="ffffff000000")
    titles = tables.judged(images, [models[0], again]).title.unique().tolist()
    assert titles == [f"VLM, semantic ({models[0].run[:6]})", "VLM, semantic (ffffff)"]


def test_confusion_adds_up(verdicts):
    table = tables.confusion(verdicts)
    counts = table[["real_real", "real_fake", "fake_real", "fake_fake"]]
    assert (counts.sum(axis=1) == 120).all() and len(table) == 15


@pytest.fixture(scope="module")
def twofold(verdicts):
    """The same verdicts under two benchmarks, the second of which has one subset."""
    again = verdicts[verdicts.subset == "pixel"].assign(benchmark="web", subset="pixel, web")
    return tables.alignment(pd.concat([verdicts, again], ignore_index=True), resamples=50)


def test_each_benchmark_has_a_mean_of_its_own(twofold):
    rows = twofold[twofold.title == "VLM, mixed"]
    own = rows.set_index("subset").value.drop("mean")
    means = rows[rows.subset == "mean"].set_index("benchmark")
    assert rows.subset.tolist() == ["semantic", "pixel", "both", "mean", "pixel, web", "mean"]
    assert means.value["world"] == pytest.approx((own["semantic"] + own["pixel"] + own["both"]) / 3)
    assert means.value["web"] == own["pixel, web"] == own["pixel"]
    assert means.n.to_dict() == {"world": 240, "web": 120}


def test_each_benchmark_has_a_block_of_its_own(twofold):
    assert list(tables.benchmarks(twofold)) == ["world", "web"]
    whole = tables.summary(twofold)
    assert whole.index.tolist()[3:] == [("world", "mean"), ("web", "pixel, web"), ("web", "mean")]
    assert tables.first(twofold).benchmark.unique().tolist() == ["world"]


def test_means_have_one_column_for_each_benchmark_whatever_subsets_the_table_has(twofold):
    shown = tables.means(twofold)
    assert list(shown) == list(twofold.benchmark.unique()) and list(shown.index) == list(twofold.title.unique())
    assert shown.iloc[0, 0] == tables.summary(tables.first(twofold)).loc[shown.index[0], "mean"]


def test_the_table_carries_every_measure_and_the_summary_only_the_value(aligned):
    both = aligned[aligned.subset != "mean"]
    assert both[["ap", "tpr_at_1", "tpr_at_5", "ece"]].notna().all(axis=None)
    means = aligned[aligned.subset == "mean"].set_index("title").ap
    assert means["VLM, mixed"] == pytest.approx(both[both.title == "VLM, mixed"].ap.mean())
    assert all(text.count("[") == 1 for text in tables.summary(aligned).to_numpy().ravel())


def test_summary_turns_when_there_are_many_subsets_and_names_one_class(aligned):
    first = aligned[aligned.title == "VLM, mixed"].iloc[[0]]
    many = pd.concat(
        [first.assign(subset=f"s{i}") for i in range(8)] + [first.assign(subset="fakes", metric=metrics.RECALL)]
    )
    text = tables.summary(many)
    assert text.shape == (9, 1) and text.iloc[-1, 0].endswith(" recall")


def test_flips_are_the_disagreements_and_nothing_else(verdicts):
    flips = pairs.flips(verdicts)
    wide = verdicts.pivot(index=["subset", "image_id"], columns="title", values="verdict").astype(int)
    apart = {
        name: int((wide[pure] != wide[mixed]).sum())
        for name, pure, mixed in (
            ("vlm", "VLM, semantic", "VLM, mixed"),
            ("expert", "expert, pixel", "expert, mixed"),
        )
    }
    assert flips.groupby("model").size().to_dict() == {name: count for name, count in apart.items() if count}
    assert (flips.pure_verdict != flips.other_verdict).all()
    assert ((flips.right == "pure") == (flips.pure_verdict == flips.label)).all()
    vlm = flips[flips.model == "vlm"]
    assert (vlm.pure_score - vlm.other_score).abs().is_monotonic_decreasing


def test_differences_are_mixed_minus_pure_on_shared_images(verdicts, aligned):
    table = pairs.differences(verdicts, resamples=300).set_index(["model", "subset"]).drop(index="fusion")
    level = aligned.set_index(["title", "subset"])
    for (model, subset), row in table.iterrows():
        assert row.difference == pytest.approx(level.value[row.other, subset] - level.value[row.pure, subset]), (
            model,
            subset,
        )
        assert row.auroc_difference == pytest.approx(level.auroc[row.other, subset] - level.auroc[row.pure, subset])
    assert table.loc[("vlm", "semantic"), "high"] < 0
    assert table.loc[("vlm", "semantic"), "p"] < 0.05


def test_p_is_corrected_over_all_claims_of_the_table(images, models, fused):
    mixed = models[1]
    judged = tables.judged(images, [*models[:2], mixed._replace(supervision="union")], fused)
    found = pairs.differences(judged, resamples=50)
    assert found.groupby("other", sort=False).size().to_dict() == {"VLM, mixed": 3, "VLM, union": 3, "fusion (or)": 1}
    assert found.p_holm.tolist() == intervals.holm(found.p).tolist()
    assert found.p_holm.min() == pytest.approx(min(1, len(found) * found.p.min()))
    assert found.columns.tolist()[-5:-3] == ["p", "p_holm"]


def test_fusion_is_paired_with_each_pure_branch_on_the_mean(verdicts, aligned):
    found = pairs.differences(verdicts, resamples=300)
    fused = found[found.model == "fusion"]
    assert fused.pure.tolist() == ["VLM, semantic", "expert, pixel"] and set(fused.subset) == {"mean"}
    means = aligned[aligned.subset == "mean"].set_index("title")
    for row in fused.itertuples():
        assert row.difference == pytest.approx(means.value[row.other] - means.value[row.pure])
        assert row.low < row.difference < row.high
    assert found[["auroc_low", "auroc_high"]].isna().all(axis=1).sum() == 2


def test_another_model_changes_no_interval(verdicts):
    fewer = verdicts[verdicts.title.isin(["expert, pixel", "expert, mixed"])]
    few, more = tables.alignment(fewer, resamples=100), tables.alignment(verdicts, resamples=100)
    same = more[more.model == "expert"].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, same)
    few, more = pairs.differences(fewer, resamples=100), pairs.differences(verdicts, resamples=100)
    same = more[more.model == "expert"].reset_index(drop=True)
    pd.testing.assert_frame_equal(few.drop(columns="p_holm"), same.drop(columns="p_holm"))


def test_the_names_of_runs_change_no_interval(images, models, fused):
    named = [[each._replace(run=f"{start}{place}") for place, each in enumerate(models)] for start in ("aaa", "bbb")]
    judged = [tables.judged(images, each, fused) for each in named]
    first, second = (pairs.differences(each, resamples=100) for each in judged)
    assert (first.low < first.high).any()
    pd.testing.assert_frame_equal(first, second)
    first, second = (tables.alignment(each, resamples=100).drop(columns="run") for each in judged)
    pd.testing.assert_frame_equal(first, second)


def test_twins_are_resampled_together(images, models):
    kin = images.assign(pair_id=images.image_id.str[-5:])
    plain, paired = (tables.alignment(tables.judged(rows, models[:1]), 400) for rows in (images, kin))
    assert plain.value.equals(paired.value) and not plain.low.equals(paired.low)
    assert (paired.low < paired.value).all() and (paired.value < paired.high).all()


def test_both_thresholds_are_told(images, models):
    given = [each._replace(validation=0.9) for each in models[:1]]
    means = tables.cut_twice(images, given, 50, 0.95, 0).set_index("title").value
    assert means.index.tolist() == ["VLM, semantic, published", "VLM, semantic, validation"]
    for name, cut in (("published", 0.5), ("validation", 0.9)):
        own = tables.alignment(tables.judged(images, [models[0]._replace(threshold=cut)]), 50)
        assert means[f"VLM, semantic, {name}"] == own.value[own.subset == "mean"].item()


def test_pure_is_paired_with_every_other_supervision_of_its_model(images, models):
    mixed = models[1]
    judged = tables.judged(images, [*models, mixed._replace(supervision="union"), mixed._replace(supervision="pixel")])
    assert pairs.couples(judged) == [
        ("VLM, semantic", "VLM, mixed"),
        ("expert, pixel", "expert, mixed"),
        ("VLM, semantic", "VLM, union"),
        ("VLM, semantic", "VLM, pixel"),
    ]
    found = pairs.differences(judged, resamples=50)
    gains = found[found.model == "vlm"].groupby("other").difference.agg(list)
    assert gains["VLM, union"] == gains["VLM, mixed"]
    assert set(found["axis"]) == {"semantic", "pixel", "both"} and set(found.benchmark) == {"world"}
    assert set(pairs.flips(judged).right) <= {"pure", "mixed", "union", "pixel"}


def test_without_a_mixed_model_there_is_nothing_to_pair(images, models):
    judged = tables.judged(images, models[:1])
    assert pairs.flips(judged).empty and pairs.differences(judged).empty


def test_many_detectors_are_compared_from_their_score_tables_alone(images, models):
    cuts = [0.5] * 8 + [0.7]
    named = [compared.Model(f"peer {i}", "", "", cut, models[i % 4].scores) for i, cut in enumerate(cuts)]
    judged = tables.judged(images, named)
    table = tables.alignment(judged, resamples=50)
    assert table.title.unique().tolist() == [f"peer {i}" for i in range(9)]
    assert len(figures.alignment(table).data) == 9 and len(figures.subsets(table).data) == 9
    kappa = tables.agreement(judged)
    assert kappa.loc["peer 0", "peer 4"] == 1 > kappa.loc["peer 0", "peer 8"] > kappa.loc["peer 0", "peer 2"]
    assert np.shape(figures.agreement(kappa).data[0].z) == (9, 9)
