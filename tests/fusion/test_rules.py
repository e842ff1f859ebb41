"""Properties that every rule keeps, whatever the scores and thresholds, and however many branches there are."""

import numpy as np
import pytest
from scipy.special import expit, logit

from aligngemini.core import stages
from aligngemini.core.params import Refused
from aligngemini.core.params import rules as read_rules
from aligngemini.fusion import fitted, rules
from aligngemini.fusion.rules import Fusion

EDGES = [0.0, 1e-12, 0.3, 0.5, np.nextafter(0.5, 1), 0.9, 1.0]
PLAIN = [name for name, rule in rules.RULES.items() if not rule.fitted]
THRESHOLDS = [0.3, 1.0, 0.0, 1e-12, 0.7]
COUNTS = [1, 2, 3, 5]


def scores(k):
    """Scores [n, k]: all edges of two branches, and random ones."""
    random = np.random.default_rng(0)
    return np.r_[random.choice(EDGES, (400, k)), random.random((400, k)), np.repeat(np.array(EDGES)[:, None], k, 1)]


def validation(k, n=300):
    """Scores [n, k] and labels [n] of branches that each see something."""
    random = np.random.default_rng(1)
    label = np.arange(n) % 2
    return np.clip(random.normal(0.3 + 0.15 * label[:, None] * np.arange(1, k + 1), 0.2), 0, 1), label


def fusion(rule, k, thresholds=None, **more):
    return Fusion.fit(rule, THRESHOLDS[:k] if thresholds is None else thresholds, *validation(k), **more)


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("rule", rules.RULES)
def test_the_score_passes_half_exactly_where_the_verdict_is_fake(rule, k):
    verdict, fused = fusion(rule, k)(scores(k))
    assert verdict.dtype == np.int8 and fused.dtype == np.float64
    assert fused.min() >= 0 and fused.max() <= 1 and not np.isnan(fused).any()
    assert np.array_equal(verdict == 1, fused > 0.5)


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("rule", rules.RULES)
def test_the_order_of_the_branches_decides_nothing(rule, k):
    order = np.random.default_rng(2).permutation(k)
    data, label = validation(k)
    one = Fusion.fit(rule, THRESHOLDS[:k], data, label)
    other = Fusion.fit(rule, np.array(THRESHOLDS[:k])[order], data[:, order], label)
    (verdict, fused), (verdict_, fused_) = one(scores(k)), other(scores(k)[:, order])
    if rule == "learned":  # an optimiser stops where it is near enough
        np.testing.assert_allclose(fused, fused_, atol=1e-4)
    else:
        assert np.array_equal(fused, fused_) and np.array_equal(verdict, verdict_)


@pytest.mark.parametrize("at", [(0.5, 0.5), (0.0, 1.0), (1.0, 0.0), (0.3, 0.9), (1e-12, 0.999999), (0.02, 0.5)])
def test_two_branches_are_joined_as_by_the_formulas_for_two(at):
    (v, e), tiny = scores(2).T, 1e-9
    cv, ce = rules.centred(v, at[0]), rules.centred(e, at[1])
    parts = [logit(np.clip(s, tiny, 1 - tiny)) - logit(np.clip(t, tiny, 1 - tiny)) for s, t in ((v, at[0]), (e, at[1]))]
    formulas = {
        "or": np.maximum(cv, ce),
        "and": np.minimum(cv, ce),
        "max": np.maximum(v, e),
        "mean": (cv + ce) / 2,
        "odds": expit(parts[0] + parts[1]),
    }
    for rule, expected in formulas.items():
        assert np.array_equal(Fusion(rule, at)(scores(2))[1], expected), rule


@pytest.mark.parametrize("k", COUNTS)
def test_or_calls_fake_what_any_branch_does_and_and_what_all_do(k):
    above = scores(k) > np.array(THRESHOLDS[:k])
    assert np.array_equal(Fusion("or", THRESHOLDS[:k])(scores(k))[0], above.any(axis=1))
    assert np.array_equal(Fusion("and", THRESHOLDS[:k])(scores(k))[0], above.all(axis=1))
    assert np.array_equal(Fusion("majority", THRESHOLDS[:k])(scores(k))[0], above.sum(axis=1) > k / 2)


@pytest.mark.parametrize("k", COUNTS)
def test_or_never_lowers_the_recall_of_a_branch(k):
    data, label = validation(k)
    at = THRESHOLDS[:k]
    recall = Fusion("or", at)(data)[0][label == 1].mean()
    assert (recall >= (data[label == 1] > np.array(at)).mean(axis=0)).all()


@pytest.mark.parametrize("rule", PLAIN)
def test_one_branch_alone_has_the_verdicts_of_its_threshold(rule):
    threshold = 0.5 if rule == "max" else 0.3
    verdict, fused = Fusion(rule, (threshold,))(scores(1))
    assert np.array_equal(verdict == 1, scores(1)[:, 0] > threshold)
    assert (np.diff(fused[np.argsort(scores(1)[:, 0], kind="stable")]) >= 0).all()


def test_a_score_just_above_a_tiny_threshold_still_raises_the_alarm():
    threshold = 1e-3
    verdict, fused = Fusion("or", (threshold, 0.5))([[np.nextafter(threshold, 1), 0.0], [threshold, 0.0]])
    assert verdict.tolist() == [1, 0] and fused[0] > 0.5


@pytest.mark.parametrize("rule", [*PLAIN, "or_budget", "boosting"])
def test_a_higher_score_never_makes_an_image_more_real(rule):
    joins = fusion("learned", 3, learner=rule) if rule == "boosting" else fusion(rule, 3, (0.3, 0.7, 0.5))
    for other in EDGES:
        for branch in range(3):
            rising = np.full((101, 3), other)
            rising[:, branch] = np.linspace(0, 1, 101)
            assert (np.diff(joins(rising)[1]) >= -1e-12).all()


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("rule", rules.RULES)
def test_sure_branches_are_believed(rule, k):
    assert fusion(rule, k, [0.4] * k)([[0.0] * k, [1.0] * k])[0].tolist() == [0, 1]


def test_max_ignores_the_thresholds_and_mean_and_odds_differ():
    assert np.array_equal(Fusion("max", (0.1, 0.9))(scores(2))[0], Fusion("or", (0.5, 0.5))(scores(2))[0])
    mean, odds = (Fusion(rule, (0.2, 0.7))(scores(2))[0] for rule in ("mean", "odds"))
    assert (mean != odds).any()


def test_centred_is_monotone_and_lands_on_a_half():
    score = np.sort(np.random.default_rng(1).random(200))
    for threshold in (0.0, 0.13, 0.5, 0.99, 1.0):
        bent = rules.centred(score, threshold)
        assert (np.diff(bent) >= 0).all() and rules.centred([threshold], threshold)[0] == 0.5
    assert rules.centred([0.0, 1.0], 0.2).tolist() == [0, 1]


@pytest.mark.parametrize("rule", rules.RULES)
@pytest.mark.parametrize("learner", fitted.LEARNERS)
def test_a_fusion_is_the_same_after_it_was_written_down(rule, learner):
    one = fusion(rule, 3, learner=learner)
    again = Fusion.from_dict(one.as_dict())
    assert all(np.array_equal(*pair) for pair in zip(one(scores(3)), again(scores(3)), strict=True))


def test_refuses():
    with pytest.raises(Refused, match="odds"):
        Fusion("xor", (0.1, 0.2))
    with pytest.raises(Refused, match="all branches"):
        Fusion("or", (0.5, 0.5))([[0.9, np.nan]])
    with pytest.raises(Refused, match="threshold"):
        Fusion("or", (1.5, 0.5))
    with pytest.raises(Refused, match=r"\[n, 2\]"):
        Fusion("or", (0.5, 0.5))([[0.9, 0.1, 0.2]])
    with pytest.raises(Refused, match="fit it"):
        Fusion("learned", (0.5, 0.5))
    for rule in ("or_budget", "learned"):
        with pytest.raises(Refused, match="joint_images"):
            Fusion.fit(rule, (0.5, 0.5))
        with pytest.raises(Refused, match="joint_images"):
            Fusion.fit(rule, (0.5, 0.5), [[0.1, 0.2], [0.3, np.nan]], [0, 1])
    with pytest.raises(Refused, match="boosting"):
        Fusion.fit("learned", (0.5, 0.5), *validation(2), learner="forest")([[0.1, 0.2]])


@pytest.mark.parametrize(
    "config", [None, {}, {"rule": "or", "thresholds": ["a"]}, {"rule": "learned", "thresholds": [0.5], "fitted_on": {}}]
)
def test_what_describes_no_fusion_is_refused(config):
    with pytest.raises(Refused, match="no fusion"):
        Fusion.from_dict(config)


def test_fired_names_the_branches():
    table = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.9], [0.1, 0.1], [np.nan, 0.9]]
    found = rules.fired(table, (0.5, 0.5), ["vlm", "expert"])
    assert found.tolist() == ["vlm", "expert", "vlm+expert", "", "expert"]
    assert rules.fired([[0.9, 0.1, 0.9]], (0.5, 0.5, 0.5), ["a", "b", "c"]).tolist() == ["a+c"]


def test_region_is_what_the_rule_says():
    region = rules.region(Fusion("and", (0.25, 0.75)), size=41)
    assert region.verdict.shape == (41, 41) and region.thresholds == (0.25, 0.75)
    assert region.verdict[-1, -1] == 1 and region.verdict[0, -1] == 0  # rows are the second branch, columns the first
    across, upwards = np.meshgrid(region.side > 0.25, region.side > 0.75)
    assert np.array_equal(region.verdict, across & upwards) and 0 < region.verdict.mean() < 0.5


def test_region_of_two_among_three_leaves_the_third_at_its_threshold():
    region = rules.region(Fusion("or", (0.25, 0.5, 0.75)), (2, 0), size=41)
    two = rules.region(Fusion("or", (0.75, 0.25)), size=41)
    assert region.thresholds == two.thresholds and np.array_equal(region.verdict, two.verdict)
    assert region.others and not two.others


def test_region_of_one_branch_is_a_line():
    region = rules.region(Fusion("or", (0.25,)), size=5)
    assert region.side[2] == 0.5 and np.allclose(region.side, 1 - region.side[::-1])
    assert region.verdict.tolist() == [0, 0, 1, 1, 1]


def test_region_reaches_scores_that_only_log_odds_tell_apart():
    region = rules.region(Fusion("or", (1e-9,)))
    assert region.side[0] < 1e-12 and region.side[-1] > 1 - 1e-12 and 0.05 < 1 - region.verdict.mean() < 0.2


def test_parameters_offer_exactly_these_rules_and_learners():
    params = stages.STAGES["04_fusion"].params
    choices = {name: rule["choices"] for name, rule in read_rules(params).items()}
    assert choices["rule"] == list(rules.RULES) and choices["learner"] == list(fitted.LEARNERS)


@pytest.mark.parametrize("rule", rules.RULES)
def test_a_verdict_between_equal_bounds_is_the_verdict_whatever_the_missing_scores_are(rule):
    rng = np.random.default_rng(0)
    scores = rng.choice([0.0, 0.2, 0.4, 0.5, 0.55, 0.7, 1.0], (400, 3))
    label = np.arange(400) % 2
    fusion = Fusion.fit(rule, (0.4, 0.5, 0.7), scores * 0.5 + label[:, None] * 0.5, label)
    known = np.where(rng.random(scores.shape) < 0.4, np.nan, scores)
    low, high = fusion.bounds(known)
    verdict = fusion(scores)[0]
    assert (low <= verdict).all() and (verdict <= high).all()
    certain, missing = low == high, np.isnan(known).any(axis=1)
    assert certain[~missing].all() and (certain[missing].any() == (rule != "learned"))
