"""The expert as a branch: loaded from facts and an adapter, and told apart by all that its scores depend on."""

from types import SimpleNamespace

import numpy as np
import pytest

from aligngemini.branches import registry
from aligngemini.core import paths
from aligngemini.core.params import Refused
from aligngemini.expert.branch import ExpertBranch
from aligngemini.world import world

ADAPTER = paths.ROOT / "data/mini/detector/expert"
FACTS = {"base": "data/mini/expert", "revision": "", "crop": 112}


@pytest.fixture(scope="module")
def branch():
    return registry.kind("expert").load().load(FACTS, ADAPTER, "expert")


def test_it_scores_the_centre_crop_as_trained_or_of_another_side(branch):
    rgb = np.kron(world.draw(0, "t", 0, False).rgb, np.ones((2, 2, 1), np.uint8))
    own, larger = branch.prepare(rgb), branch.prepare(rgb, None, 140)
    assert own.shape == (112, 112, 3) and larger.shape == (140, 140, 3)
    assert own.base is None, "a view would keep the whole picture"
    assert np.array_equal(own, larger[14:-14, 14:-14])
    scores = branch.p_fake([own, own])
    assert isinstance(branch, ExpertBranch) and scores.dtype == np.float64 and 0 < scores[0] < 1
    assert branch.p_fake([larger])[0] != scores[0]


def test_its_identity_is_that_of_weights_adapter_numbers_code_and_crop(branch):
    told = branch.identity()
    assert told["crop"] == 112 and branch.identity(336) == told | {"crop": 336}
    assert {"base", "adapter", "device", "numbers", "packages", "code"} <= set(told) and "timm" in told["packages"]


def test_its_facts_are_those_of_a_run_at_the_commit_that_was_trained_on():
    params = {"base": "owner/name", "crop": 336, "lora_rank": 8}
    run = SimpleNamespace(params=params, models={"base": {"name": "owner/name", "revision": "c0ffee"}})
    assert ExpertBranch.facts(run) == {"base": "owner/name", "revision": "c0ffee", "crop": 336}


@pytest.mark.parametrize("wrong", [None, [], {}, FACTS | {"crop": "all"}, FACTS | {"crop": 0}])
def test_facts_that_are_none_are_refused(wrong):
    with pytest.raises(Refused, match="name another run"):
        ExpertBranch.load(wrong, ADAPTER, "expert")
