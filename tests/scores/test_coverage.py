"""Intervals cover what they estimate as often as they say, on images drawn again and again from one known world."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from aligngemini.scores import intervals


def nominal(hits: int, worlds: int, confidence: float) -> bool:
    """Whether so many hits are within what chance makes of a true coverage up to two points off the nominal one."""
    low = binom.ppf(0.001, worlds, confidence - 0.02)
    return low <= hits <= binom.ppf(0.999, worlds, min(1, confidence + 0.02))


def judged(rng, label, real: float, fake: float):
    """Verdicts that are right with the probability of their class."""
    right = rng.random(len(label)) < np.where(label == 1, fake, real)
    return np.where(right, label, 1 - label)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("reals", "fakes"), [(200, 200), (400, 100)])
def test_balanced_accuracy_is_covered(confidence, reals, fakes):
    rng = np.random.default_rng([3, reals])
    label = np.repeat([0, 1], [reals, fakes])
    hits = 0
    for _ in range(800):
        got = intervals.accuracy(label, judged(rng, label, 0.8, 0.6), rng, 400, confidence)
        hits += got.low <= 0.7 <= got.high
    assert nominal(hits, 800, confidence)


def test_the_mean_over_subsets_that_share_their_reals_is_covered():
    rng = np.random.default_rng(5)
    rates = {"a": 0.9, "b": 0.6, "c": 0.3}
    truth = (0.8 + np.mean(list(rates.values()))) / 2
    hits = sum(_covered(rng, rates, truth) for _ in range(150))
    assert nominal(hits, 150, 0.9)


def _covered(rng, rates: dict[str, float], truth: float) -> bool:
    """Whether the interval holds the truth, for one draw of 100 reals and of 50 fakes in each subset."""
    reals = pd.DataFrame({"image_id": [f"r{i}" for i in range(100)], "label": 0})
    reals["verdict"] = judged(rng, reals.label, 0.8, 0)
    parts = []
    for subset, rate in rates.items():
        fakes = pd.DataFrame({"image_id": [f"{subset}{i}" for i in range(50)], "label": 1})
        parts += [
            each.assign(subset=subset) for each in (reals, fakes.assign(verdict=judged(rng, fakes.label, 0, rate)))
        ]
    got = intervals.mean_accuracy(pd.concat(parts, ignore_index=True), rng, 400, 0.9)
    return got.low <= truth <= got.high


@pytest.mark.parametrize(("truth", "reals", "fakes"), [(0.76, 100, 100), (0.98, 100, 100), (0.98, 400, 100)])
def test_auroc_is_covered_up_to_its_end(truth, reals, fakes):
    rng = np.random.default_rng(8)
    label, hits = np.repeat([0, 1], [reals, fakes]), 0
    for _ in range(400):
        got = intervals.roc_area(label, rng.normal(label * norm.ppf(truth) * np.sqrt(2), 1))
        hits += got.low <= truth <= got.high
    assert nominal(hits, 400, 0.95)


@pytest.mark.parametrize("kin", [0.5, 2.0])
def test_pairs_are_covered(kin):
    """Scores of a pair share what their picture shows; truths follow from the normal law."""
    rng = np.random.default_rng(9)
    label, group = np.tile([0, 1], 100), np.repeat(np.arange(100), 2)
    right, area = norm.cdf(0.5 / np.sqrt(1 + kin**2)), norm.cdf(1 / np.sqrt(2 + 2 * kin**2))
    hits = np.zeros(2, dtype=int)
    for _ in range(300):
        score = label + np.repeat(rng.normal(0, kin, 100), 2) + rng.normal(0, 1, 200)
        verdict = (score > 0.5).astype(int)
        hits[0] += _holds(intervals.accuracy(label, verdict, rng, 400, group=group), right)
        hits[1] += _holds(intervals.roc_area(label, score, group=group), area)
    assert all(nominal(each, 300, 0.95) for each in hits)


def _holds(interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def images(*parts: tuple[int, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups of `parts`: each a label and the sizes of groups whose images all have it."""
    label = np.concatenate([np.repeat(label, sum(sizes)) for label, sizes in parts])
    sizes = np.concatenate([sizes for _, sizes in parts])
    return label, np.repeat(np.arange(len(sizes)), sizes)


def rare(below: int, above: int, worlds: int) -> bool:
    """Whether the truth is outside no more often than chance makes of 5 %, and on either side of 2.5 %."""
    most, of_a_side = binom.ppf(0.99, worlds, [0.05, 0.025])
    return bool(below + above <= most and max(below, above) <= of_a_side)


UNEQUAL = images((1, list(range(1, 11))), (0, [1] * 55))
MIXED = images((1, [1] * 40 + [2] * 8 + [3] * 4 + [5] * 3), (0, [1] * 40 + [2] * 10))
TWINS = (np.tile([0, 1], 20), np.repeat(np.arange(20), 2))
LOPSIDED = (np.tile([0, 1, 1], 8)[:23], np.repeat(np.arange(8), 3)[:23])
TWELVE = images((1, [1] * 12), (0, [1] * 200))


@pytest.mark.parametrize("rate", [0.5, 0.9])
@pytest.mark.parametrize(
    "world", [UNEQUAL, MIXED, TWINS, LOPSIDED, TWELVE], ids=["unequal", "mixed", "twins", "lopsided", "twelve"]
)
def test_groups_of_any_sizes_are_covered_on_both_sides(world, rate):
    """All images of a group are right or wrong together."""
    rng, (label, group) = np.random.default_rng(11), world
    below = above = 0
    for _ in range(400):
        right = (rng.random(group.max() + 1) < rate)[group]
        got = intervals.accuracy(label, np.where(right, label, 1 - label), rng, 400, group=group)
        below, above = below + (got.high < rate), above + (got.low > rate)
    assert rare(below, above, 400)


@pytest.mark.parametrize(("subsets", "reals", "fakes", "shared"), [(3, 30, 30, True), (8, 10, 10, False)])
def test_the_mean_over_small_subsets_is_covered_on_both_sides(subsets, reals, fakes, shared):
    """Nine of ten are right; subsets share their reals, or have all of their own."""
    rng, below, above = np.random.default_rng(12), 0, 0
    names, label = np.repeat(np.arange(subsets), reals + fakes), np.tile([0] * reals + [1] * fakes, subsets)
    image = np.where((label == 0) & shared, 0, names) * 1000 + np.tile(np.arange(reals + fakes), subsets)
    for _ in range(300):
        right = (rng.random(image.max() + 1) < 0.9)[image]
        frame = pd.DataFrame({"subset": names, "image_id": image.astype(str), "label": label})
        got = intervals.mean_accuracy(frame.assign(verdict=np.where(right, label, 1 - label)), rng, 400)
        below, above = below + (got.high < 0.9), above + (got.low > 0.9)
    assert rare(below, above, 300)
