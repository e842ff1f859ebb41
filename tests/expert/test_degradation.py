"""Abstaining on degraded images: a probe on the frozen backbone beside an adapter that is trained as without it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from aligngemini.branches import domain
from aligngemini.core.params import Refused
from aligngemini.expert import adapter, backbone, degradation, train
from aligngemini.expert.branch import ExpertBranch
from aligngemini.images import decode, degrade
from aligngemini.images.params import DataParams
from tests.expert.conftest import CFG, fresh
from tests.expert.test_adapter import BASE

CHAIN = DataParams().model_dump()
ASKS = CFG.replace(abstain_on_degraded=True)


@pytest.fixture(scope="session")
def whole(rows):
    return rows.assign(degrade_jpeg=math.nan)


@pytest.fixture(scope="session")
def asking(whole, tmp_path_factory):
    """The folder of an expert trained like `trained`, with a probe."""
    folder = tmp_path_factory.mktemp("asking")
    train.train(fresh(), whole, ASKS, folder / "checkpoints", folder / "adapter", whole, CHAIN)
    return folder / "adapter"


@pytest.fixture(scope="session")
def expert(asking):
    return adapter.with_adapter(backbone.load(BASE), asking)


@pytest.fixture(scope="session")
def images(rows) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images as they are, and degraded otherwise than in training."""
    clean = [decode.read(path).rgb for path in rows.path]
    values = [degrade.draw(degrade.ranges(DataParams()), degrade.generator(7, name)) for name in rows.image_id]
    return clean, [degrade.degrade(*each) for each in zip(clean, values, strict=True)]


def test_what_looks_degraded_gets_the_score_0_and_the_rest_that_of_an_expert_without_a_probe(expert, images):
    plain = replace(expert, probe=None)
    scores, before = ([each.p_fake(some) for some in images] for each in (expert, plain))
    assert all((each > 0).all() for each in before)
    assert all(np.array_equal(s[s > 0], b[s > 0]) for s, b in zip(scores, before, strict=True))
    clean, degraded = ((each == 0).mean() for each in scores)
    assert clean < 0.1 and degraded > 0.6


def test_with_validation_images_it_notes_what_it_was_trained_on(asking, trained, rows):
    knows, before = (ExpertBranch(adapter.with_adapter(backbone.load(BASE), f), CFG.crop) for f in (asking, asking))
    knows.domain = domain.load(asking)
    views = [knows.prepare(decode.read(path).rgb) for path in rows.path]
    noise = np.random.default_rng(0).integers(0, 256, views[0].shape, np.uint8)
    scores, outside = knows.judge([*views, noise])
    assert scores.tolist() == before.judge([*views, noise])[0].tolist()
    assert sum(outside[:-1]) <= 1 and outside[-1], "validation images are training images here"
    assert domain.load(trained[1] / "adapter") is None and before.judge(views)[1] == [None] * len(views)
    (asking / "domain.safetensors").rename(asking.parent / "whole")
    (asking / "domain.safetensors").write_text("damaged")
    with pytest.raises(Refused, match="domain.safetensors is damaged"):
        domain.load(asking)
    (asking.parent / "whole").replace(asking / "domain.safetensors")


def test_no_more_is_given_up_than_the_budget_asks_for():
    label, plain = np.repeat([0, 1], 100), np.repeat([0.1, 0.9], 100)
    degraded, log_odds = np.full(200, 0.8), np.arange(200.0)
    assert degradation._limit(log_odds, plain, degraded, label) == 2.0  # two of a hundred reals lie below
    assert degradation._limit(log_odds, plain, np.where(log_odds < 2, 0.8, 0.2), label) == np.inf


def test_training_is_the_same_to_the_bit_with_and_without_it(asking, trained):
    with_probe, without = (load_file(f / "adapter_model.safetensors") for f in (asking, trained[1] / "adapter"))
    assert with_probe.keys() == without.keys()
    assert all(np.array_equal(with_probe[name], without[name]) for name in without)
    assert not (trained[1] / "adapter" / degradation.STATE).exists()


def test_the_probe_comes_back_with_the_adapter_and_not_without_its_file(asking, trained, whole):
    again, plain = (adapter.with_adapter(backbone.load(BASE), f) for f in (asking, trained[1] / "adapter"))
    fitted = degradation.fit(plain, whole, whole, CHAIN, ASKS)
    assert np.allclose(again.probe.weights, fitted.weights) and again.probe.bias == pytest.approx(fitted.bias)
    assert plain.probe is None and "looks degraded" in (asking / "README.md").read_text()


def test_scores_are_kept_apart_from_those_without_a_probe(asking, trained, expert):
    facts = {"base": BASE, "revision": "", "crop": 112}
    first, second = (ExpertBranch(expert, 112, facts, each).identity() for each in (asking, trained[1] / "adapter"))
    assert first["adapter"] != second["adapter"]


def test_images_that_are_degraded_already_are_not_taken_for_clean_ones(expert, whole, capsys):
    assert degradation.fit(expert, whole.assign(degrade_jpeg=60.0), whole, CHAIN, ASKS) is None
    assert degradation.fit(expert, whole, whole.assign(degrade_jpeg=60.0), CHAIN, ASKS) is None
    assert capsys.readouterr().err.count("are degraded themselves") == 2


@pytest.mark.parametrize("text", ["{}", '{"weights": [1.0, 2.0], "bias": 0.5}', '{"weights": ["a"], "bias": 0.5}', "{"])
def test_a_damaged_probe_is_refused(tmp_path, text):
    (tmp_path / degradation.STATE).write_text(text)
    with pytest.raises(Refused, match="fetch or train the adapter again"):
        degradation.load(tmp_path, 64)


def test_what_the_probe_has_seen_of_images_is_what_their_domain_is_made_of(trained, whole):
    plain, seen = adapter.with_adapter(backbone.load(BASE), trained[1] / "adapter"), {}
    degradation.fit(plain, whole, whole, CHAIN, ASKS, seen)
    branch = ExpertBranch(plain, CFG.crop)
    assert seen.keys() == set(whole.image_id)
    for known in (seen, {name: seen[name] for name in list(seen)[::2]}):
        again, fresh_one = domain.of(branch, whole, whole, known), domain.of(branch, whole, whole)
        assert all(np.allclose(*each, atol=1e-3) for each in zip(again, fresh_one, strict=True))
