"""Perturbations: the same for the same picture, in the form they came in, and worse the more severe."""

import numpy as np
import pytest
from PIL import Image

from aligngemini.core.params import Refused
from aligngemini.images import perturb
from aligngemini.images.perturb import PERTURBATIONS

NAMES = list(PERTURBATIONS)


@pytest.fixture
def rgb(picture):
    return picture(96, 80)


def _damage(name, rgb, severity):
    """Squared difference from the picture as it was; what a crop cuts off counts as its area."""
    harmed = perturb.apply(name, rgb, severity, "a")
    if name == "crop":
        return rgb[..., 0].size - harmed[..., 0].size
    if harmed.shape != rgb.shape and name != "up":
        harmed = np.asarray(Image.fromarray(harmed).resize(rgb.shape[1::-1]))
    if name == "up":
        return harmed.size - rgb.size
    return float(((harmed.astype(float) - rgb) ** 2).mean())


@pytest.mark.parametrize("name", NAMES)
def test_a_perturbation_is_deterministic_and_keeps_the_form(name, rgb):
    for severity in PERTURBATIONS[name].severities:
        before = rgb.copy()
        once, again = (perturb.apply(name, rgb, severity, "a") for _ in range(2))
        assert once.dtype == np.uint8 and once.ndim == 3 and once.shape[2] == 3
        assert np.array_equal(once, again) and np.array_equal(rgb, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_higher_severity_does_more(name, rgb):
    damages = [_damage(name, rgb, severity) for severity in PERTURBATIONS[name].severities]
    assert damages[0] > 0 and damages == sorted(damages) and len(set(damages)) == len(damages)


@pytest.mark.parametrize("name", ["noise", "crop"])
def test_what_is_drawn_depends_on_picture_and_seed(name, rgb):
    made = [perturb.apply(name, rgb, PERTURBATIONS[name].severities[1], *key) for key in (("a",), ("b",), ("a", 7))]
    assert not np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])


def test_published_severities_are_those_of_the_sweep():
    of = {name: kind.severities for name, kind in PERTURBATIONS.items() if kind.origin == perturb.PUBLISHED}
    assert of["jpeg"] == (100, 90, 80, 70, 60) and of["blur"] == (0.5, 1, 1.5, 2)
    assert of["up"] == (1.25, 1.5, 1.75, 2) and set(of) == {"jpeg", "blur", "up", "down"}


def test_an_unknown_perturbation_is_refused(rgb):
    with pytest.raises(Refused, match="'jpeg'"):
        perturb.named("jpg")
    with pytest.raises(Refused, match="names no perturbation"):
        perturb.named(" , ")
