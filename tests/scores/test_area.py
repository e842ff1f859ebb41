"""AUROC of resamples drawn by blocks against resamples drawn image by image."""

import numpy as np
import pytest

from aligngemini.scores import area
from aligngemini.scores.metrics import auroc


def scored(reals: int, fakes: int, apart: float, decimals: int | None = None):
    rng = np.random.default_rng([reals, fakes])
    label = np.repeat([0, 1], [reals, fakes])
    score = rng.normal(apart * label, 1)
    return label, score if decimals is None else score.round(decimals)


@pytest.mark.parametrize("apart", [0, 1, 3])
@pytest.mark.parametrize(("reals", "fakes"), [(3000, 3000), (5900, 100)])
def test_blocks_spread_as_images_do(apart, reals, fakes):
    label, score = scored(reals, fakes, apart)
    got = area.draws(label, score, np.random.default_rng(1), 3000)
    order, rng = area._Order(label == 1, score), np.random.default_rng(2)
    plain = [order.area(*(np.bincount(rng.integers(0, n, n), minlength=n) for n in order.sizes)) for _ in range(3000)]
    assert got.mean() == pytest.approx(np.mean(plain), abs=4 * np.std(plain) / np.sqrt(1500))
    assert got.std() == pytest.approx(np.std(plain), rel=0.06)


@pytest.mark.parametrize("most", [1, 7, 10_000])
@pytest.mark.parametrize("decimals", [None, 1])
def test_blocks_hold_every_image_and_keep_the_area(most, decimals):
    label, score = scored(200, 300, 1, decimals)
    reals, fakes, inside = area.blocks(label, score, most)
    assert (reals.sum(), fakes.sum()) == (200, 300) and len(reals) <= most
    below = np.cumsum(reals) - reals
    assert fakes @ (below + inside * reals) / (200 * 300) == pytest.approx(auroc(label, score))


def test_few_runs_are_not_approximated():
    reals, fakes, inside = area.blocks([0, 0, 1, 1, 0, 1, 0], [0.1, 0.2, 0.3, 0.3, 0.4, 0.5, 0.5])
    assert (reals.tolist(), fakes.tolist()) == ([2, 0, 1, 1], [0, 2, 0, 1])
    assert inside.tolist() == [0, 0, 0, 0.5]


def test_each_tie_of_both_classes_is_a_block_of_its_own():
    reals, fakes, inside = area.blocks([0, 1, 0, 1], [0.1, 0.1, 0.2, 0.2])
    assert reals.tolist() == fakes.tolist() == [1, 1] and inside.tolist() == [0.5, 0.5]


def test_the_number_of_resamples_is_the_one_asked_for():
    label, score = scored(20, 20, 1)
    for count in (1, area.CHUNK, area.CHUNK + 1):
        assert area.draws(label, score, np.random.default_rng(0), count).shape == (count,)
