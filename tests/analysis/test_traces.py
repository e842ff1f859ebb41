"""What pixels hold that eyes miss."""

import numpy as np

from aligngemini.analysis import pictures
from aligngemini.images import degrade

RNG = np.random.default_rng(0)
GRAIN = RNG.integers(0, 255, (64, 48, 3), dtype=np.uint8)


def test_a_difference_is_grey_where_nothing_differs_and_says_which_way():
    other = GRAIN.clip(0, 250) + np.uint8(0)
    other[0, 0] = np.minimum(GRAIN[0, 0].astype(int) + 3, 255)
    made = pictures.difference(GRAIN.clip(0, 250), other, 4)
    assert made.dtype == np.uint8 and (made[1:] == 128).all() and (made[0, 0] >= 128).all()


def test_blur_takes_the_high_frequencies_out_of_the_spectrum():
    whole, blurred = pictures.spectrum(GRAIN), pictures.spectrum(degrade.blur(GRAIN, 2))
    assert whole.shape == GRAIN.shape and whole.dtype == np.uint8
    corner, middle = np.s_[:8, :8], np.s_[28:36, 20:28]
    assert blurred[corner].mean() < whole[corner].mean() - 30 and blurred[middle].mean() > blurred[corner].mean() + 60


def test_an_even_image_has_a_spectrum_too():
    assert np.isfinite(pictures.spectrum(np.full((16, 16, 3), 7, np.uint8))).all()


def test_a_zoom_is_the_middle():
    assert np.array_equal(pictures.zoom(GRAIN, 0.25), GRAIN[24:40, 18:30])
