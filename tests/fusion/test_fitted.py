"""Rules that are fitted: on validation scores alone, within their budget, and written down whole."""

import itertools

import numpy as np
import pytest

from aligngemini.core.params import Refused
from aligngemini.fusion import fitted
from aligngemini.fusion.rules import Fusion
from tests.fusion.test_rules import COUNTS, fusion, scores, validation


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("budget", [0.0, 0.05, 0.2, 1.0])
def test_the_budget_of_false_alarms_holds_on_what_it_was_fitted_on(budget, k):
    data, label = validation(k)
    verdict, _ = fusion("or_budget", k, false_positives=budget)(data)
    assert verdict[label == 0].mean() <= budget


def test_no_other_thresholds_within_the_budget_find_more_fakes():
    data, label = (part[:60] for part in validation(2))
    fires = [(data > np.array(at)).any(axis=1) for at in np.stack(np.meshgrid(*data.T), -1).reshape(-1, 2)]
    within = [fire[label == 1].sum() for fire in fires if fire[label == 0].sum() <= 0.1 * (label == 0).sum()]
    verdict, _ = Fusion.fit("or_budget", (0.5, 0.5), data, label, 0.1)(data)
    assert verdict[label == 1].sum() == max(within)


def test_fitted_rules_are_decided_by_validation_scores_alone():
    data, label = validation(2)
    for rule in ("or_budget", "learned"):
        one = Fusion.fit(rule, (0.5, 0.5), data, label)
        before = one(scores(2))[1]
        one(np.random.default_rng(3).random((500, 2)))
        other = Fusion.fit(rule, (0.1, 0.9), data, label)
        assert np.array_equal(one(scores(2))[1], before) and np.array_equal(other(scores(2))[1], before)
        assert one.fitted_on["scores"] == data.tolist() and one.fitted_on["label"] == label.tolist()


def test_a_learned_rule_believes_the_branch_that_sees_more():
    data, label = validation(2)
    data[:, 0] = np.random.default_rng(4).random(len(data))
    for learner in fitted.LEARNERS:
        verdict, _ = Fusion.fit("learned", (0.5, 0.5), data, label, learner=learner)([[0.9, 0.05], [0.1, 0.95]])
        assert verdict.tolist() == [0, 1]


def test_validation_rows_that_lack_a_score_take_no_part():
    data, label = validation(2)
    holes = np.r_[data, [[np.nan, 0.9], [0.9, np.nan]]]
    for rule in ("or_budget", "learned"):
        one, other = (Fusion.fit(rule, (0.5, 0.5), *part) for part in ((data, label), (holes, np.r_[label, 0, 1])))
        assert one == other


@pytest.mark.parametrize("rule", ["or_budget", "learned"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"label": [1, 1, 1, 1]}, "labels of both classes"),
        ({"label": [0, 1, 2, 1]}, "label.2: Input should be 0 or 1"),
        ({"label": ["0", "1", "0", "1"]}, "label.0: Input should be 0 or 1"),
        ({"label": [0, 1]}, "a label and one score per branch"),
        ({"scores": [[0.1], [0.9], [0.2], [0.8]]}, "a label and one score per branch"),
        ({"scores": [[0.1, 0.2], [0.9], [0.2, 0.1], [0.8, 0.9]]}, "a label and one score per branch"),
        ({"scores": [["a", "b"]] * 4}, "scores.0.0: Input should be a valid number"),
        ({"scores": [["0.1", "0.2"]] * 4}, "scores.0.0: Input should be a valid number"),
        ({"scores": [[0.1, None]] * 4}, "scores.0.1: Input should be a valid number"),
        ({"scores": [[0.1, 1.5]] * 4}, "scores.0.1: Input should be less than or equal to 1"),
        ({"scores": [[0.1, float("nan")]] * 4}, "scores.0.1: Input should be"),
        ({"scores": [], "label": []}, "a label and one score per branch"),
        ({"learner": "forest"}, "learner: Input should be 'logistic' or 'boosting'"),
        ({"false_positives": 2}, "false_positives: Input should be less than or equal to 1"),
    ],
)
def test_a_damaged_record_of_what_a_rule_was_fitted_on_is_refused_when_it_is_loaded(rule, damage, words):
    data, label = validation(2, 4)
    whole = Fusion.fit(rule, (0.5, 0.5), data, label).as_dict()
    assert Fusion.from_dict(whole) == Fusion.fit(rule, (0.5, 0.5), data, label)
    with pytest.raises(Refused, match=f"describes no fusion: .*{words}"):
        Fusion.from_dict(whole | {"fitted_on": whole["fitted_on"] | damage})


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("digits", [1, 2])
@pytest.mark.parametrize("budget", [0.05, 0.2, 1.0])
def test_thresholds_under_a_budget_do_not_depend_on_the_order_of_branches_with_tied_scores(k, digits, budget):
    data, label = validation(k, 60)
    data = np.round(data, digits)
    expected = fitted.thresholds(data, label, budget)
    for order in list(itertools.permutations(range(k)))[:: k - 1]:
        found = fitted.thresholds(data[:, order], label, budget)
        assert found == tuple(expected[place] for place in order)


def test_branches_with_equal_scores_get_equal_thresholds():
    data, label = validation(2, 60)
    first, other, again = fitted.thresholds(data[:, [0, 1, 0]], label, 0.1)
    assert first == again and (first, other) == fitted.thresholds(data, label, 0.1)
