"""Metrics against scikit-learn, and the cases in which it has no answer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score, roc_auc_score

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
    assert mean["value"] == pytest.approx(0.75) and (mean["subsets"], mean["left_out"]) == (2, 1)


def test_missing_scores_are_refused_not_judged():
    with pytest.raises(Refused):
        metrics.verdicts([0.5, np.nan], 0.5)
    frame = pd.DataFrame({"subset": "a", "label": [0, 1], "verdict": [0, None], "score": [0.1, np.nan]})
    with pytest.raises(Refused):
        metrics.per_subset(frame)
