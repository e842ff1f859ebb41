"""The expert on a graphics card, pretended: every tensor of an update and of a score stands where the expert does."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from aligngemini.core import states
from aligngemini.expert import backbone, objective, train
from tests.card import CARD, Card
from tests.expert.conftest import CFG, fresh

pytestmark = pytest.mark.filterwarnings("ignore:.*autocast.*")
PICTURES = [torch.full((4, 3, 28, 28), 40 * part, dtype=torch.uint8) for part in (1, 2)]


@pytest.fixture(scope="module")
def here() -> backbone.Expert:
    return fresh()


def on_card(here: backbone.Expert) -> backbone.Expert:
    """A copy of an expert with its weights and colours on the card."""
    expert = copy.deepcopy(here)
    return replace(expert, model=expert.model.to(CARD), mean=here.mean.to(CARD), std=here.std.to(CARD))


def trained(expert: backbone.Expert) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in expert.model.named_parameters() if weight.requires_grad}


def test_every_tensor_of_an_update_stands_on_the_experts_card(here):
    cfg = CFG.replace(contrastive_weight=0.5, mode="faithful")
    with Card():
        expert = on_card(here)
        optim = objective.optimiser(expert, cfg)
        assert train.update(expert, optim, PICTURES, cfg) > 0
        assert {weight.grad.device for weight in expert.model.parameters() if weight.requires_grad} == {CARD}
        assert {state["exp_avg"].device for state in optim.state.values()} == {CARD}


def test_a_killed_training_goes_on_on_the_card_and_counts_its_steps_on_the_host(here, tmp_path):
    with Card():
        killed = on_card(here)
        optim = objective.optimiser(killed, CFG)
        train.update(killed, optim, PICTURES, CFG)
        states.save(tmp_path / "state.pt", trained(killed), optim, 1, [])
        expert = on_card(here)
        again = objective.optimiser(expert, CFG)
        assert states.resume(tmp_path / "state.pt", trained(expert), again) == (1, [])
        train.update(expert, again, PICTURES, CFG)
        places = [{name: value.device.type for name, value in state.items()} for state in again.state.values()]
    assert places and all(place == {"step": "cpu", "exp_avg": "cuda", "exp_avg_sq": "cuda"} for place in places)


def test_scores_come_back_from_the_card(here):
    crops = [np.full((28, 28, 3), 90, np.uint8)] * 2
    with Card():
        there = on_card(here).p_fake(crops)
    assert there == pytest.approx(here.p_fake(crops))


@pytest.mark.parametrize("released", [False, True])
def test_the_backbone_computes_in_bfloat16_on_a_card_and_the_head_in_float32(here, monkeypatch, released):
    """Scores of a head in bfloat16 would have eight bits. Faithful, as the DDA code, narrows nothing."""
    narrowed, autocast = [], torch.autocast
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: narrowed.append(dtype) or autocast("cpu", dtype))
    pictures = torch.randint(0, 256, (64, 3, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    with Card(), torch.no_grad():
        expert = replace(on_card(here), released=released)
        feature, logits = expert.judged(pictures)
        head = expert.model.get_base_model().head
        wanted = torch.nn.functional.linear(feature, head.weight, head.bias).squeeze(1)
        exact, found, feature = wanted.cpu(), logits.cpu(), feature.cpu()
        plain = replace(expert, released=True).judged(pictures)[0].cpu()
    assert narrowed == [torch.bfloat16] * (not released)
    assert torch.equal(found, exact) and found.dtype == feature.dtype == torch.float32
    assert not torch.equal(found, found.bfloat16().float())
    assert torch.equal(feature, plain) == released
