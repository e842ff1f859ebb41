"""The VLM as a branch: loaded from facts and an adapter, and told apart by all that its scores depend on."""

import dataclasses
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aligngemini.branches import registry
from aligngemini.core import keys, paths
from aligngemini.core.params import Refused
from aligngemini.images.header import Unreadable
from aligngemini.vlm.branch import VLMBranch
from aligngemini.world import world

ADAPTER = paths.ROOT / "data/mini/detector/vlm"
FACTS = {"base": "data/mini/vlm", "revision": "", "precision": "auto", "max_pixels": 12544, "quantise": ""}


@pytest.fixture(scope="module")
def branch():
    return registry.kind("vlm").load().load(FACTS, ADAPTER, "vlm")


def test_it_scores_and_explains_what_it_prepared(branch):
    views = [branch.prepare(world.draw(0, "t", i, bool(i % 2)).rgb) for i in range(3)]
    scores = branch.p_fake(views)
    assert isinstance(branch, VLMBranch) and scores.dtype == np.float64 and ((scores > 0) & (scores < 1)).all()
    said = branch.explain(views, (scores > 0.5).tolist())
    assert [text.startswith("This image is fake") for text in said] == (scores > 0.5).tolist()


def test_it_looks_at_no_more_pixels_than_the_model_sees_and_refuses_a_strip(branch):
    view = branch.prepare(np.zeros((1500, 2000, 3), np.uint8))
    assert isinstance(view, Image.Image) and view.width * view.height <= 12544
    with pytest.raises(Unreadable, match="aspect ratio"):
        branch.prepare(np.zeros((10, 2100, 3), np.uint8))


def test_its_identity_is_that_of_weights_adapter_numbers_and_code(branch):
    told = branch.identity()
    assert told == branch.identity(crop=336), "it looks at whole images"
    assert {"base", "adapter", "device", "numbers", "packages", "code", "max_pixels", "quantise"} <= set(told)
    assert len(told["base"]) == len(told["adapter"]) == 64 and "transformers" in told["packages"]


def test_its_facts_are_those_of_a_run_at_the_commit_that_was_trained_on():
    params = {"base": "owner/name", "precision": "auto", "max_pixels": 784, "beta": 0.1}
    run = SimpleNamespace(params=params, models={"base": {"name": "owner/name", "revision": "c0ffee"}})
    wanted = {"base": "owner/name", "revision": "c0ffee", "precision": "auto", "max_pixels": 784, "quantise": ""}
    assert VLMBranch.facts(run) == wanted
    run.params["quantise"] = "4bit"
    assert VLMBranch.facts(run)["quantise"] == "4bit"


@pytest.mark.parametrize("wrong", [None, [], {}, FACTS | {"max_pixels": "many"}, FACTS | {"trust_remote_code": True}])
def test_facts_that_are_none_are_refused(wrong):
    with pytest.raises(Refused, match="name another run"):
        VLMBranch.load(wrong, ADAPTER, "vlm")


def test_what_it_scored_is_read_again_on_another_machine(branch, monkeypatch, tmp_path):
    run = SimpleNamespace(folder=tmp_path / "02_vlm_dpo" / "name", name="name", made={})
    before, told = keys.of(run, len, (branch,), {}), branch.identity()
    monkeypatch.setattr(metadata, "version", lambda name: "0")
    assert branch.identity() != told and keys.of(run, len, (branch,), {}) == before
    other = dataclasses.replace(branch, base=FACTS | {"max_pixels": 784})
    assert keys.of(run, len, (other,), {}) != before
