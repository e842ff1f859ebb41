"""Metrics against scikit-learn, and the cases in which it has no answer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
    roc_auc_score,
)

from aligngemini.core.params import Refused
from aligngemini.scores import metrics


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 300))
    label = np.r_[0, 1, rng.integers(0, 2, n)]
    score = rng.random(n + 2).round(1 if seed % 2 else 6)  # one decimal: many ties
    verdict = metrics.verdicts(score, 0.4)
    got = metrics.accuracies(label, verdict)
    assert got["value"] == pytest.approx(balanced_accuracy_score(label, verdict))
    assert got["fake_accuracy"] == pytest.approx(recall_score(label, verdict))
    assert got["real_accuracy"] == pytest.approx(recall_score(label, verdict, pos_label=0))
    assert list(metrics.confusion(label, verdict).values()) == confusion_matrix(label, verdict).ravel().tolist()
    assert metrics.auroc(label, score) == pytest.approx(roc_auc_score(label, score))


def test_the_threshold_itself_is_real():
    assert metrics.verdicts([0.5, np.nextafter(0.5, 1), 1.0], 0.5).tolist() == [0, 1, 1]
    assert metrics.verdicts([1.0], 1.0).tolist() == [0]  # a threshold of 1 switches a branch off


def test_a_real_accuracy_of_zero_is_not_dropped():
    got = metrics.accuracies([0, 0, 1, 1], [1, 1, 1, 1])
    assert got["real_accuracy"] == 0 and got["value"] == 0.5


@pytest.mark.parametrize(("label", "name", "value"), [([1, 1], "recall", 0.5), ([0, 0], "specificity", 0.5)])
def test_one_class_is_reported_under_its_own_name(label, name, value):
    got = metrics.accuracies(label, [0, 1])
    assert (got["metric"], got["value"]) == (name, value)
    assert np.isnan(got["balanced_accuracy"]) and np.isnan(metrics.auroc(label, [0.1, 0.9]))


def test_the_mean_weighs_subsets_alike_and_leaves_one_class_out():
    rows = [("a", 0, 0), ("a", 1, 1), *[("b", 0, 1)] * 50, *[("b", 1, 1)] * 50, ("c", 1, 1)]
    frame = pd.DataFrame(rows, columns=["subset", "label", "verdict"]).assign(score=0.5)
    measures = metrics.per_subset(frame)
    mean = metrics.mean_over_subsets(measures)
    assert measures.metric.tolist() == ["balanced accuracy", "balanced accuracy", "recall"]
    assert mean["value"] == pytest.approx(0.75)


def test_missing_scores_are_refused_not_judged():
    assert metrics.verdicts([0.6, np.nan], 0.5).tolist() == [1, pd.NA]
    frame = pd.DataFrame({"subset": "a", "label": [0, 1], "verdict": [0, None], "score": [0.1, np.nan]})
    with pytest.raises(Refused):
        metrics.per_subset(frame)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(7)
    label = rng.integers(0, 2, 900)
    return label, np.clip(rng.normal(0.35 + 0.3 * label, 0.2), 0, 1)


def test_average_precision_is_that_of_scikit_learn(world):
    label, score = world
    assert metrics.threshold_free(label, score)["ap"] == pytest.approx(average_precision_score(label, score))


def test_average_precision_by_hand():
    got = metrics.threshold_free([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert got["ap"] == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_recall_at_few_false_alarms_by_hand():
    reals = np.linspace(0, 0.5, 100)  # one real at 0.5, the next below 0.496
    fakes = [0.9, 0.5, 0.497, 0.49, 0.3]
    got = metrics.threshold_free(np.r_[np.zeros(100), np.ones(5)], np.r_[reals, fakes])
    assert got["tpr_at_1"] == pytest.approx(3 / 5)  # above a threshold of 0.496: one real of 100
    assert got["tpr_at_5"] == pytest.approx(4 / 5)
    assert metrics.recall_at([0] * 10 + [1] * 4, [0.5] * 10 + [0.9, 0.6, 0.5, 0.4], 0.05) == 0.5  # no alarm is allowed


def test_recall_counts_a_fake_tied_with_too_many_reals_as_missed():
    assert metrics.recall_at([0] * 20 + [1], [0.1] * 18 + [0.8] * 2 + [0.8], 0.05) == 0


def test_calibration_error_by_hand():
    label, score = [0, 1, 1, 1], [0.02, 0.04, 0.95, 1.0]
    assert metrics.calibration_error(label, score) == pytest.approx((abs(0.06 - 1) + abs(1.95 - 2)) / 4)


def test_calibration_error_uses_fifteen_bins_of_equal_width(world):
    label, score = world
    share, mean = calibration_curve(label, score, n_bins=15)
    counts = np.histogram(score, np.linspace(0, 1, 16))[0]
    expected = np.sum(counts[counts > 0] * np.abs(share - mean)) / len(label)
    assert metrics.threshold_free(label, score)["ece"] == pytest.approx(expected)


def test_a_score_that_is_no_probability_has_no_calibration():
    with pytest.raises(Refused, match="probabilities"):
        metrics.calibration_error([0, 1], [0.2, 3.0])


@pytest.mark.parametrize("label", [[1, 1], [0, 0]])
def test_without_both_classes_nothing_is_measured(label):
    got = metrics.threshold_free(label, [0.1, 0.9])
    assert set(got) == set(metrics.THRESHOLD_FREE) and all(np.isnan(value) for value in got.values())


def test_subsets_carry_the_measures_and_their_mean_leaves_one_class_out(world):
    label, score = world
    frame = pd.DataFrame({"subset": np.arange(900) % 2, "label": label, "score": score})
    frame = pd.concat([frame, pd.DataFrame({"subset": 2, "label": [1, 1], "score": [0.2, 0.9]})], ignore_index=True)
    measured = metrics.per_subset(frame.assign(verdict=metrics.verdicts(frame.score, 0.5)))
    mean = metrics.mean_over_subsets(measured)
    for name in metrics.THRESHOLD_FREE:
        assert np.isnan(measured[name][2]) and mean[name] == pytest.approx(measured[name][:2].mean())
    second = frame[frame.subset == 1]
    assert measured.ap[1] == pytest.approx(average_precision_score(second.label, second.score))
