"""Properties that every rule keeps, whatever the scores and thresholds."""

import dataclasses

import numpy as np
import pytest

from aligngemini.fusion import rules
from aligngemini.workbook import stages
from aligngemini.workbook.params import Refused

EDGES = [0.0, 1e-12, 0.3, 0.5, np.nextafter(0.5, 1), 0.9, 1.0]
SCORES = np.array([(v, e) for v in EDGES for e in EDGES])
PAIRS = [(0.5, 0.5), (0.0, 1.0), (1.0, 0.0), (0.3, 0.9), (1e-12, 0.999999), (0.02, 0.5)]


def draws():
    random = np.random.default_rng(0).random((400, 2))
    return np.r_[SCORES, random].T


@pytest.mark.parametrize("rule", rules.RULES)
@pytest.mark.parametrize("at", PAIRS)
def test_the_score_passes_half_exactly_where_the_verdict_is_fake(rule, at):
    verdict, fused = rules.fuse(rule, *draws(), *at)
    assert fused.min() >= 0 and fused.max() <= 1 and not np.isnan(fused).any()
    assert np.array_equal(verdict == 1, fused > 0.5)


@pytest.mark.parametrize("at", PAIRS)
def test_or_never_lowers_and_never_raises_alarms(at):
    vlm, expert = draws()
    alarms = (vlm > at[0]), (expert > at[1])
    joined, _ = rules.fuse("or", vlm, expert, *at)
    both, _ = rules.fuse("and", vlm, expert, *at)
    assert np.array_equal(joined == 1, alarms[0] | alarms[1])
    assert np.array_equal(both == 1, alarms[0] & alarms[1])


def test_a_score_just_above_a_tiny_threshold_still_raises_the_alarm():
    threshold = 1e-3
    verdict, fused = rules.fuse("or", [np.nextafter(threshold, 1), threshold], [0.0, 0.0], threshold, 0.5)
    assert verdict.tolist() == [1, 0] and fused[0] > 0.5


@pytest.mark.parametrize("rule", rules.RULES)
def test_a_higher_score_never_makes_an_image_more_real(rule):
    side = np.linspace(0, 1, 101)
    for other in EDGES:
        level = np.full_like(side, other)
        for pair in ((side, level), (level, side)):
            _, fused = rules.fuse(rule, *pair, 0.3, 0.7)
            assert (np.diff(fused) >= -1e-12).all()


@pytest.mark.parametrize("rule", rules.RULES)
def test_two_sure_branches_are_believed(rule):
    verdict, _ = rules.fuse(rule, [0.0, 1.0], [0.0, 1.0], 0.4, 0.6)
    assert verdict.tolist() == [0, 1]


def test_max_ignores_the_thresholds_and_mean_and_odds_differ():
    vlm, expert = draws()
    assert np.array_equal(rules.fuse("max", vlm, expert, 0.1, 0.9)[0], rules.fuse("or", vlm, expert)[0])
    mean, odds = (rules.fuse(rule, vlm, expert, 0.2, 0.7)[0] for rule in ("mean", "odds"))
    assert (mean != odds).any()


def test_centred_is_monotone_and_lands_on_a_half():
    score = np.sort(np.random.default_rng(1).random(200))
    for threshold in (0.0, 0.13, 0.5, 0.99, 1.0):
        bent = rules.centred(score, threshold)
        assert (np.diff(bent) >= 0).all() and rules.centred([threshold], threshold)[0] == 0.5
    assert rules.centred([0.0, 1.0], 0.2).tolist() == [0, 1]


def test_refuses():
    with pytest.raises(Refused, match="odds"):
        rules.fuse("xor", [0.1], [0.2])
    with pytest.raises(Refused, match="both branches"):
        rules.fuse("or", [0.9], [np.nan])
    with pytest.raises(Refused, match="threshold"):
        rules.fuse("or", [0.9], [0.9], 1.5)


def test_fired_names_the_branch():
    assert rules.fired([0.9, 0.1, 0.9, 0.1, np.nan], [0.1, 0.9, 0.9, 0.1, 0.9]).tolist() == [
        "vlm",
        "expert",
        "both",
        "",
        "expert",
    ]


def test_region_is_what_the_rule_says():
    region = rules.region("and", 0.25, 0.75, size=41)
    assert region.verdict.shape == (41, 41)
    assert region.verdict[-1, -1] == 1 and region.verdict[0, -1] == 0  # rows are the expert, columns the VLM
    assert region.verdict[31, 11] == 1 and region.verdict[29, 11] == 0 and region.verdict[31, 10] == 0


def test_parameters_offer_exactly_these_rules():
    params = stages.STAGES["04_fusion"].params
    choices = next(field.metadata["choices"] for field in dataclasses.fields(params) if field.name == "rule")
    assert list(choices) == list(rules.RULES)
