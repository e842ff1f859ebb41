"""The VLM as a branch: loaded from facts and an adapter, and told apart by all that its scores depend on."""

import dataclasses
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.branches import domain, registry
from aligngemini.core import keys, paths
from aligngemini.core.params import Refused
from aligngemini.images import decode
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
    assert isinstance(branch, VLMBranch) and scores.dtype == np.float64 and ((scores >= 0) & (scores <= 1)).all()
    said = branch.explain(views, (scores > 0.5).tolist())
    assert len(said) == 3 and not any("This image" in text for text in said), "the reason, not the verdict again"


@pytest.fixture(scope="module")
def knowing(branch, tmp_path_factory):
    """The branch with what it would note if it had been trained on sixty drawn scenes."""
    folder, rows = tmp_path_factory.mktemp("domain"), []
    for index in range(90):
        Image.fromarray(world.draw(0, "domain", index, bool(index % 2)).rgb).save(folder / f"{index}.png")
        rows.append({"image_id": str(index), "path": str(folder / f"{index}.png"), "label": index % 2})
    rows = pd.DataFrame(rows)
    domain.save(domain.of(branch, rows[:60], rows[60:]), folder)
    return dataclasses.replace(branch, domain=domain.load(folder))


def _photograph(seed):
    """Soft light, hard edges and the grain of a sensor, as no drawn scene has them."""
    rng = np.random.default_rng(seed)
    light = np.linspace(30, 220, 112)[:, None, None] * rng.uniform(0.3, 1, 3)
    edges = 60 * (np.add.outer(np.arange(112), np.arange(112)) // rng.integers(3, 9) % 2)[..., None]
    return np.clip(light + edges + rng.normal(0, 25, (112, 112, 3)), 0, 255).astype(np.uint8)


def test_it_knows_drawn_scenes_from_what_is_unlike_them_and_scores_both_as_before(knowing):
    drawn = [knowing.prepare(world.draw(1, "other", i, bool(i % 2)).rgb) for i in range(12)]
    strange = [knowing.prepare(_photograph(seed)) for seed in range(4)]
    scores, outside = knowing.judge(drawn + strange)
    assert sum(outside[:12]) <= 2 and all(outside[12:])
    assert scores.tolist() == knowing.p_fake(drawn + strange).tolist()


def test_photographs_are_unlike_drawn_scenes(knowing):
    files = sorted((paths.ROOT.parent / "shared" / "real" / "photos" / "kodak").glob("*.png"))[:12]
    if not files:
        pytest.skip("no photographs beside the project")
    _, outside = knowing.judge([knowing.prepare(decode.read(file).rgb) for file in files])
    assert sum(outside) >= 11


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
