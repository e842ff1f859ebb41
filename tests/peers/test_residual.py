"""Effort's side path is the dense layer, trains alone, and comes back as a plain LoRA adapter."""

import pytest
import torch
from torch import nn

from aligngemini.expert import backbone
from aligngemini.peers import effort

BASE = "data/mini/expert"


@pytest.fixture(params=[(1, 1), (3, 1), (3, 2)], ids=str)
def layers(request):
    """A linear layer and what it was split into, by parts and rank."""
    torch.manual_seed(0)
    layer = nn.Linear(12, 12 * request.param[0])
    return layer, effort.Residual(layer, *request.param)


def test_it_starts_as_the_layer_was(layers):
    layer, split = layers
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(split(x), layer(x))


def test_the_side_path_equals_the_dense_layer_after_training(layers):
    layer, split = layers
    with torch.no_grad():
        for weight in (split.U, split.S, split.V):
            weight.add_(torch.randn_like(weight))
    whole = split.main.weight + effort.dense(split.U, split.S, split.V)
    a, b = split.as_lora()
    torch.testing.assert_close(layer.weight + b @ a, whole)
    x = torch.randn(4, 12)
    torch.testing.assert_close(split(x), nn.functional.linear(x, whole, layer.bias))


def test_the_smallest_singular_triplets_train(layers):
    layer, split = layers
    parts, rank = split.S.shape
    for weight, singular in zip(layer.weight.unflatten(0, (parts, -1)), split.S, strict=True):
        torch.testing.assert_close(singular, torch.linalg.svdvals(weight)[-rank:])


def test_the_penalties_are_nothing_at_first_and_grow_with_what_they_forbid(layers):
    _, split = layers
    lean, energy = split.penalties()
    assert lean.item() == pytest.approx(0, abs=1e-6) and energy.item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        split.S.mul_(2)
    assert split.penalties()[1].item() == pytest.approx(3, rel=1e-4), "twice the values are four times the energy"
    with torch.no_grad():
        split.U.add_(0.5)
    assert split.penalties()[0].item() > 0.1


def test_of_a_backbone_only_the_triplets_and_the_head_train():
    model = backbone.load(BASE).model
    effort.split(model, 1)
    names = {name.rpartition(".")[2] for name, weight in model.named_parameters() if weight.requires_grad}
    assert names == {"U", "S", "V", "weight", "bias"}
    assert {name for name, weight in model.named_parameters() if weight.requires_grad and "attn" not in name} == {
        "head.weight",
        "head.bias",
    }


def test_a_split_backbone_becomes_a_lora_model_with_the_same_logits():
    from peft import get_peft_model

    expert, whole = backbone.load(BASE), backbone.load(BASE)
    effort.split(expert.model, 2)
    with torch.no_grad():
        for _, each in effort.residuals(expert.model):
            each.S.mul_(1.5)
            each.V.add_(0.1 * torch.randn_like(each.V))
    model = get_peft_model(whole.model, effort.config(2))
    effort.into_lora(expert.model, model)
    x = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(x), expert.model.eval()(x), atol=1e-4, rtol=1e-4)
