"""The leaner LoRA layer: the numbers of PEFT's in every state that PEFT's has."""

import copy
from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners import lora

from aligngemini.core.lora import Linear, lean


@pytest.fixture(params=[8, 3], ids=["scaled by a power of two", "by another number"])
def models(request):
    """A small network with PEFT's LoRA that adds something, and the same with ours."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 10), torch.nn.GELU(), torch.nn.Linear(10, 5, bias=False))
    theirs = get_peft_model(net, LoraConfig(r=4, lora_alpha=request.param, target_modules=["0", "2"]))
    theirs.add_adapter("second", LoraConfig(r=2, lora_alpha=2, target_modules=["0"]))
    for name, weight in theirs.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    return theirs, lean(copy.deepcopy(theirs))


def _outcome(model, x: torch.Tensor) -> list[torch.Tensor]:
    """The output, and the gradients of what it is made of."""
    x = x.clone().requires_grad_()
    out = model(x)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return [out, *torch.autograd.grad(out.square().sum(), [x, *trained], allow_unused=True)]


@pytest.mark.parametrize("shape", [(6,), (7, 6), (3, 7, 6), (2, 3, 4, 6)])
def test_outputs_and_gradients_are_those_of_peft(models, shape):
    assert [type(layer) for layer in models[1].modules() if isinstance(layer, lora.Linear)] == [Linear, Linear]
    theirs, ours = (_outcome(model, torch.arange(6.0).expand(shape) / 6) for model in models)
    assert all(
        torch.allclose(*pair, rtol=1e-4, atol=1e-5) for pair in zip(theirs, ours, strict=True) if pair[0] is not None
    )


@pytest.mark.parametrize("state", ["disabled", "merged", "both adapters", "the other adapter"])
def test_an_adapter_can_be_switched_as_with_peft(models, state):
    x, seen = torch.linspace(-1, 1, 42).view(7, 6), []
    for model in models:
        if state == "merged":
            model.merge_adapter()
        if "adapter" in state:
            model.base_model.set_adapter(["default", "second"] if state == "both adapters" else "second")
        with model.disable_adapter() if state == "disabled" else nullcontext():
            seen.append(model(x))
    assert torch.allclose(*seen, rtol=1e-4, atol=1e-5) and not torch.allclose(seen[0], torch.zeros_like(seen[0]))


def test_dropout_of_the_adapter_falls_as_with_peft():
    net = torch.nn.Sequential(torch.nn.Linear(6, 10))
    theirs = get_peft_model(net, LoraConfig(r=4, lora_alpha=4, lora_dropout=0.5, target_modules=["0"])).train()
    torch.nn.init.ones_(theirs.get_parameter("base_model.model.0.lora_B.default.weight"))
    seen = []
    for model in (theirs, lean(copy.deepcopy(theirs))):
        torch.manual_seed(1)
        seen.append(model(torch.ones(7, 6)))
    assert torch.allclose(*seen, rtol=1e-4, atol=1e-5) and seen[0].std(0).any()
