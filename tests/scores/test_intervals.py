"""Intervals against the plain bootstrap, drawn image by image, and against known cases."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from aligngemini.core.params import Refused
from aligngemini.scores import auroc_interval, intervals, metrics
from aligngemini.scores.intervals import Interval


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 160)
    score = np.clip(rng.normal(0.4 + 0.15 * label, 0.15), 0, 1).round(2)
    other = np.clip(score + rng.normal(0, 0.1, 160), 0, 1)
    return label, score, other


def plain(label, measure, resamples=500):
    """The bootstrap as written in a textbook: images drawn with replacement within each class."""
    rng = np.random.default_rng(0)
    classes = [np.flatnonzero(label == value) for value in (0, 1)]
    draws = [measure(np.concatenate([rng.choice(rows, len(rows)) for rows in classes])) for _ in range(resamples)]
    return np.quantile(draws, [0.025, 0.975])


def near(interval, expected):
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=0.015)
    assert interval.low <= interval.value <= interval.high


def test_accuracy_is_the_plain_bootstrap(world):
    label, score, _ = world
    verdict = metrics.verdicts(score, 0.5)
    got = intervals.accuracy(label, verdict, np.random.default_rng(1), 20_000)
    near(got, plain(label, lambda rows: metrics.accuracies(label[rows], verdict[rows])["value"]))


def test_roc_area_is_the_plain_bootstrap(world):
    label, score, _ = world
    near(intervals.roc_area(label, score), plain(label, lambda rows: metrics.auroc(label[rows], score[rows])))


def test_ties_count_one_half(world):
    label, score, _ = world
    coarse = (score > 0.5).astype(float)
    near(intervals.roc_area(label, coarse), plain(label, lambda rows: metrics.auroc(label[rows], coarse[rows])))


def test_differences_are_the_plain_paired_bootstrap(world):
    label, score, other = world
    first, second = metrics.verdicts(score, 0.5), metrics.verdicts(other, 0.45)
    rng = np.random.default_rng(1)

    def gain(rows):
        return np.subtract(*[metrics.accuracies(label[rows], each[rows])["value"] for each in (second, first)])

    near(intervals.accuracy(label, second, rng, 20_000, minus=first), plain(label, gain))
    near(
        intervals.roc_area(label, other, minus=score),
        plain(
            label,
            lambda rows: metrics.auroc(label[rows], other[rows]) - metrics.auroc(label[rows], score[rows]),
        ),
    )


def test_pairing_narrows_the_interval(world):
    label, score, _ = world
    again, alone = intervals.roc_area(label, score, minus=score), intervals.roc_area(label, score)
    assert again.value == 0 and again.high - again.low < 0.25 * (alone.high - alone.low)


def test_shared_reals_are_drawn_once_for_all_subsets():
    rng = np.random.default_rng(2)
    reals = pd.DataFrame({"image_id": [f"r{i}" for i in range(40)], "label": 0, "verdict": rng.integers(0, 2, 40)})
    parts = []
    for subset in "abcd":
        fakes = pd.DataFrame(
            {"image_id": [f"{subset}{i}" for i in range(40)], "label": 1, "verdict": rng.integers(0, 2, 40)}
        )
        parts.append(pd.concat([reals, fakes]).assign(subset=subset))
    frame = pd.concat(parts, ignore_index=True)
    shared = intervals.mean_accuracy(frame, np.random.default_rng(1), 20_000)
    apart = intervals.mean_accuracy(
        frame.assign(image_id=frame.image_id + frame.subset), np.random.default_rng(1), 20_000
    )
    real, fake = (frame[frame.label == value].assign(right=lambda f: f.label == f.verdict) for value in (0, 1))
    assert shared.value == pytest.approx((real.right.mean() + fake.right.mean()) / 2)
    spread = {"shared": 0.25 / 40 + 0.25 / 160, "apart": 0.25 / 160 + 0.25 / 160}  # variances of both halves
    for got, kind in ((shared, "shared"), (apart, "apart")):
        assert got.high - got.low == pytest.approx(2 * 1.96 * np.sqrt(spread[kind]) / 2, rel=0.12)


def test_one_class_and_none():
    rng = np.random.default_rng(0)
    recall = intervals.accuracy([1] * 10, [1] * 7 + [0] * 3, rng)
    assert recall.value == pytest.approx(0.7) and 0.3 <= recall.low < 0.7 < recall.high <= 1
    assert np.isnan(intervals.accuracy([], [], rng).value)
    assert np.isnan(intervals.roc_area([1, 1], [0.1, 0.2]).low)
    assert np.isnan(intervals.roc_area([1], [0.1], minus=[0.2]).value)
    frame = pd.DataFrame({"subset": "a", "image_id": ["x"], "label": [1], "verdict": [1]})
    assert np.isnan(intervals.mean_accuracy(frame, rng).value)


def test_no_interval_is_without_width_at_its_ends():
    got = intervals.accuracy([1] * 12, [1] * 12, np.random.default_rng(0))
    assert (round(got.low, 2), got.high) == (0.74, 1)
    for verdict in (0, 1):
        both = intervals.accuracy([0, 1] * 12, [verdict, verdict] * 12, np.random.default_rng(0))
        assert both.low < 0.5 < both.high
    label = np.array([0, 1] * 12)
    for got in (
        intervals.accuracy(label, label, np.random.default_rng(0)),
        intervals.accuracy(label, label, np.random.default_rng(0), group=np.arange(24) // 2),
        intervals.accuracy(label, 1 - label, np.random.default_rng(0)),
        intervals.accuracy(label, label, np.random.default_rng(0), minus=label),
        intervals.roc_area(label, label),
        intervals.roc_area(label, 1 - label),
        intervals.roc_area(label, label, minus=label),
    ):
        assert got.low < got.high and got.high - got.low > 0.1


def test_a_single_image_alone_has_the_exact_interval():
    for right in (0, 3, 20):
        got = intervals.accuracy([0] * 20, [0] * right + [1] * (20 - right), np.random.default_rng(0))
        exact = binomtest(right, 20).proportion_ci(0.95)
        assert (got.low, got.high) == pytest.approx((exact.low, exact.high))


def test_pairs_that_err_together_widen_the_interval_and_pairs_that_even_out_narrow_it():
    rng = np.random.default_rng(3)
    label, group = np.tile([0, 1], 200), np.arange(400) // 2
    right = np.repeat(rng.random(200) < 0.7, 2)
    together = np.where(right, label, 1 - label)
    even = np.repeat(rng.integers(0, 2, 200), 2)  # both called real or both called fake: one of them is right
    for verdict, wider in ((together, True), (even, False)):
        alone, paired = (
            intervals.accuracy(label, verdict, np.random.default_rng(0), group=each) for each in (None, group)
        )
        assert (paired.high - paired.low > 1.2 * (alone.high - alone.low)) is wider
        assert (paired.high - paired.low < 0.8 * (alone.high - alone.low)) is not wider
        areas = [intervals.roc_area(label, verdict, group=each) for each in (np.arange(400), group)]
        assert (areas[1].high - areas[1].low > 1.2 * (areas[0].high - areas[0].low)) is wider


def test_p_is_below_the_level_exactly_where_the_interval_leaves_the_null_out():
    rng = np.random.default_rng(2)
    label, outside = np.repeat([0, 1], 60), 0
    for _ in range(40):
        first, second = rng.integers(0, 2, (2, 120))
        got = intervals.accuracy(label, second, rng, 500, minus=first)
        assert (intervals.p_value(got) < 0.05) == (not got.low <= 0 <= got.high)
        outside += intervals.p_value(got, got.low - 0.01) < 0.05
    assert outside == 40 and intervals.p_value((0.2, 0.1, 0.3), 0.2) == 1


def test_holm_by_hand():
    assert intervals.holm([0.04, 0.01, 0.03, 0.005]).tolist() == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert intervals.holm([0.5, 0.9]).tolist() == [1, 1]
    assert intervals.holm([0.04, np.nan, 0.01]).tolist() == pytest.approx([0.04, np.nan, 0.02], nan_ok=True)
    assert len(intervals.holm([])) == 0


def test_holm_keeps_the_chance_of_any_false_claim():
    rng = np.random.default_rng(1)
    claims = np.array([(intervals.holm(rng.random(20)) < 0.05).any() for _ in range(4000)])
    assert claims.mean() == pytest.approx(0.05, abs=0.012)
    assert (rng.random((4000, 20)) < 0.05).any(axis=1).mean() > 0.6  # uncorrected


def test_table_has_a_mean_row_that_counts_distinct_images():
    frame = pd.DataFrame(
        {
            "subset": ["a", "a", "b", "b"],
            "image_id": ["r", "x", "r", "y"],
            "label": [0, 1, 0, 1],
            "verdict": [0, 1, 0, 0],
            "score": [0.1, 0.9, 0.1, 0.2],
        }
    )
    got = intervals.table(frame, ("levels", 0), 100)
    assert got.subset.tolist() == ["a", "b", "mean"] and got.n.tolist() == [2, 2, 3]
    assert got.value.tolist() == [1, 0.5, 0.75]


def test_the_mean_of_one_subset_has_that_subsets_interval():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {"label": np.tile([0, 1], 30), "score": rng.random(60), "image_id": [f"i{n}" for n in range(60)]}
    )
    frame = frame.assign(verdict=(frame.score > 0.4).astype(int), subset="a")
    one, mean = intervals.table(frame, ("levels", 0), 200)[["value", "low", "high"]].to_numpy()
    assert one == pytest.approx(mean)


def test_another_subset_changes_no_interval():
    rng = np.random.default_rng(6)
    label = np.tile([0, 1], 60)
    frame = pd.DataFrame({"label": label, "score": rng.random(120), "image_id": [f"i{n}" for n in range(120)]})
    frame["pair_id"] = [f"p{n // 2}" for n in range(120)]
    frame["verdict"], names = (frame.score > 0.4).astype(int), ["c", "a", "b"]
    whole = pd.concat([frame.iloc[20 * i : 20 * i + 80].assign(subset=name) for i, name in enumerate(names)])
    told = intervals.table(whole, ("levels", 0), 200).set_index("subset")
    fewer = intervals.table(whole[whole.subset != "a"], ("levels", 0), 200).set_index("subset")
    pd.testing.assert_frame_equal(fewer.loc[["c", "b"]], told.loc[["c", "b"]])
    again = intervals.table(whole.sample(frac=1, random_state=1), ("levels", 0), 200).set_index("subset")
    pd.testing.assert_frame_equal(again.loc[told.index, ["low", "high"]], told[["low", "high"]])
    other = intervals.table(whole, ("levels", 1), 200).set_index("subset")
    assert (other.low != told.low).any()


def test_confidence_must_be_a_share():
    with pytest.raises(Refused, match="confidence"):
        intervals.accuracy([0, 1], [0, 1], np.random.default_rng(0), 10, 95)


def test_many_images_are_quick():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 100_000)
    score = rng.random(100_000)
    start = time.process_time()
    intervals.accuracy(label, metrics.verdicts(score, 0.5), rng, 10_000)
    intervals.roc_area(label, score)
    assert time.process_time() - start < 5


def test_two_independent_shares_differ_as_published():
    # 56 of 70 and 48 of 80 by the intervals of Wilson: example (a), method 10 of Newcombe 1998, Stat Med 17, 873-890
    found = auroc_interval.apart(Interval(48 / 80, 0.4904, 0.7004), Interval(56 / 70, 0.6920, 0.8769))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=3e-4)
