"""The network must see a trace that statistics cannot, and stay silent where there is none."""

import math

import numpy as np
import pytest

from aligngemini.audit import cues, data_run, pixel_network, pixel_statistics
from aligngemini.images import jpeg
from aligngemini.scores import cv_auroc
from tests.audit.conftest import write_pairs

NONE = {"scale": [1.0, 1.0], "noise": [0.0, 0.0], "blur": [0.0, 0.0], "jpeg": [100.0, 100.0]}


@pytest.fixture
def pairs(tmp_path):
    """Forty pairs of the same noise; the real image has `mark` [16, 16] at one place, the fake its mirror image.

    A mark and its mirror image have the same spectrum, block energies and moments.
    """

    def files(mark: np.ndarray, number: int):
        noise = np.random.default_rng(number).normal(128, 4, (112, 112, 3))
        for label, each in enumerate((mark, mark[:, ::-1])):
            rgb = noise + np.random.default_rng([number, label + 1]).normal(0, 2, noise.shape)
            rgb[48:64, 48:64] += each[..., None]
            yield jpeg.png(rgb.clip(0, 255).astype(np.uint8))

    return lambda mark: write_pairs(tmp_path, (files(mark, number) for number in range(40)))


NOTHING = np.zeros((16, 16))


def test_it_sees_a_mark_at_one_place_that_statistics_cannot(pairs, monkeypatch):
    monkeypatch.setattr(pixel_network, "STEPS", 60)
    monkeypatch.setattr(cv_auroc, "FOLDS", 3)  # two leave too few pairs to learn it from
    rows = pairs(60 * (np.eye(16) + np.eye(16, k=1)))
    network = pixel_network.probe(rows)
    assert network.auroc > 0.9 and network.low > cues.pixel_probe(rows).high


def test_it_finds_nothing_where_there_is_nothing(pairs, monkeypatch):
    monkeypatch.setattr(pixel_network, "STEPS", 30)
    network = pixel_network.probe(pairs(NOTHING))
    assert network.low < 0.5 < network.high


def test_it_gives_the_same_answer_again(pairs, monkeypatch):
    monkeypatch.setattr(pixel_network, "STEPS", 3)
    rows = pairs(NOTHING)
    assert pixel_network.probe(rows) == pixel_network.probe(rows.sample(frac=1, random_state=0))


def test_too_few_images_tell_nothing(pairs):
    rows = pairs(NOTHING)
    assert math.isnan(pixel_network.probe(rows.head(8)).auroc) and math.isnan(pixel_network.probe(rows.head(0)).low)


def test_the_strength_of_the_degradation_is_measured_by_both_probes(pairs, monkeypatch):
    monkeypatch.setattr(data_run, "SHARES", (0.0, 1.0))
    monkeypatch.setattr(pixel_network, "STEPS", 3)
    table = data_run.strength(pairs(NOTHING), NONE, seed=0, network=True)
    for probe in ("", "network_"):
        low, value, high = (table[f"{probe}{name}"] for name in ("low", "auroc", "high"))
        assert ((low < value) & (value < high)).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (112, 112), (300, 200)])
def test_every_size_becomes_the_same_square(picture, size):
    assert pixel_statistics.crop(picture(*size)).shape == (3, pixel_statistics.SIDE, pixel_statistics.SIDE)
