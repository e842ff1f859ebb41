"""The chosen threshold is the best there is, by exhaustion."""

import numpy as np
import pytest

from aligngemini.core.params import Refused
from aligngemini.scores import metrics, thresholds


def reached(label, score, threshold):
    return metrics.accuracies(label, metrics.verdicts(score, threshold))["value"]


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_is_better(seed):
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, 40)]
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.25), 0, 1).round(2 if seed % 2 else 8)
    got = thresholds.choose(label, score)
    assert got.balanced_accuracy == pytest.approx(reached(label, score, got.value))
    every = [reached(label, score, t) for t in np.r_[0, np.unique(score), 1]]
    assert got.balanced_accuracy == pytest.approx(max(every))
    assert 0 <= got.low <= got.value <= got.high <= 1
    assert thresholds.choose(label[::-1], score[::-1]) == got


def test_the_middle_of_the_widest_plateau():
    got = thresholds.choose([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])
    assert (got.value, got.balanced_accuracy, got.low, got.high) == (pytest.approx(0.4), 1, 0.2, 0.6)
    tied = thresholds.choose([0, 1, 0, 1], [0.1, 0.2, 0.5, 0.9])  # 0.1..0.2 and 0.5..0.9 are equally good
    assert (tied.low, tied.high) == (0.5, 0.9)


def test_neighbouring_floats_do_not_round_onto_the_fake():
    low = 0.3
    high = np.nextafter(low, 1)
    got = thresholds.choose([0, 1], [low, high])
    assert got.balanced_accuracy == 1 and reached([0, 1], [low, high], got.value) == 1


@pytest.mark.parametrize("score", [[0.0, 0.0], [1.0, 1.0], [0.4, 0.4], [1.0, 0.0]])
def test_hopeless_scores_still_give_a_threshold(score):
    got = thresholds.choose([0, 1], score)
    assert got.balanced_accuracy == 0.5 == reached([0, 1], score, got.value)


@pytest.mark.parametrize(("label", "score"), [([0, 0], [0.1, 0.2]), ([1], [0.1]), ([0, 1], [0.1, np.nan])])
def test_refuses_what_cannot_be_chosen_from(label, score):
    with pytest.raises(Refused, match="both classes"):
        thresholds.choose(label, score)
