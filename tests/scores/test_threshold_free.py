"""Ranking and calibration measures against scikit-learn and against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score

from aligngemini.core.params import Refused
from aligngemini.scores import metrics, threshold_free


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(7)
    label = rng.integers(0, 2, 900)
    return label, np.clip(rng.normal(0.35 + 0.3 * label, 0.2), 0, 1)


def test_average_precision_is_that_of_scikit_learn(world):
    label, score = world
    assert threshold_free.measures(label, score)["ap"] == pytest.approx(average_precision_score(label, score))


def test_average_precision_by_hand():
    got = threshold_free.measures([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert got["ap"] == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_recall_at_few_false_alarms_by_hand():
    reals = np.linspace(0, 0.5, 100)  # one real at 0.5, the next below 0.496
    fakes = [0.9, 0.5, 0.497, 0.49, 0.3]
    got = threshold_free.measures(np.r_[np.zeros(100), np.ones(5)], np.r_[reals, fakes])
    assert got["tpr_at_1"] == pytest.approx(3 / 5)  # above a threshold of 0.496: one real of 100
    assert got["tpr_at_5"] == pytest.approx(4 / 5)
    assert (
        threshold_free.found([0] * 10 + [1] * 4, [0.5] * 10 + [0.9, 0.6, 0.5, 0.4], 0.05) == 0.5
    )  # no alarm is allowed


def test_recall_counts_a_fake_tied_with_too_many_reals_as_missed():
    assert threshold_free.found([0] * 20 + [1], [0.1] * 18 + [0.8] * 2 + [0.8], 0.05) == 0


def test_calibration_error_by_hand():
    label, score = [0, 1, 1, 1], [0.02, 0.04, 0.95, 1.0]
    assert threshold_free.calibration_error(label, score) == pytest.approx((abs(0.06 - 1) + abs(1.95 - 2)) / 4)


def test_calibration_error_uses_fifteen_bins_of_equal_width(world):
    label, score = world
    share, mean = calibration_curve(label, score, n_bins=15)
    counts = np.histogram(score, np.linspace(0, 1, 16))[0]
    expected = np.sum(counts[counts > 0] * np.abs(share - mean)) / len(label)
    assert threshold_free.measures(label, score)["ece"] == pytest.approx(expected)


def test_a_score_that_is_no_probability_has_no_calibration():
    with pytest.raises(Refused, match="probabilities"):
        threshold_free.calibration_error([0, 1], [0.2, 3.0])


@pytest.mark.parametrize("label", [[1, 1], [0, 0]])
def test_without_both_classes_nothing_is_measured(label):
    got = threshold_free.measures(label, [0.1, 0.9])
    assert set(got) == set(threshold_free.NAMES) and all(np.isnan(value) for value in got.values())


def test_subsets_carry_the_measures_and_their_mean_leaves_one_class_out(world):
    label, score = world
    frame = pd.DataFrame({"subset": np.arange(900) % 2, "label": label, "score": score})
    frame = pd.concat([frame, pd.DataFrame({"subset": 2, "label": [1, 1], "score": [0.2, 0.9]})], ignore_index=True)
    measured = metrics.per_subset(frame.assign(verdict=metrics.verdicts(frame.score, 0.5)))
    mean = metrics.mean_over_subsets(measured)
    for name in threshold_free.NAMES:
        assert np.isnan(measured[name][2]) and mean[name] == pytest.approx(measured[name][:2].mean())
    second = frame[frame.subset == 1]
    assert measured.ap[1] == pytest.approx(average_precision_score(second.label, second.score))
