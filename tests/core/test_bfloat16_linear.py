"""Linear layers in bfloat16 on a processor without that format: half the memory of float32 at nearly its speed."""

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.checkpoint import checkpoint

from aligngemini.core import bfloat16_linear, devices
from aligngemini.core.bfloat16_linear import FEW, Bfloat16Linear
from aligngemini.expert import backbone
from aligngemini.mini import bases
from aligngemini.vlm import load, verdict

ROUNDED = {"rtol": 2**-7, "atol": 1e-6}  # two steps of bfloat16
X86 = {"architecture": "x86_64"}


@pytest.fixture(autouse=True)
def imitating(monkeypatch):
    """A processor without bfloat16, whatever this one is."""
    monkeypatch.setattr(devices, "best", lambda: "cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: X86)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(bfloat16_linear, "BLOCK", 5 * 24)  # five rows of weights, the last block has fewer


def layer(bias: bool = True, frozen: bool = True, dtype: torch.dtype = torch.bfloat16) -> nn.Linear:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 13, bias, dtype=dtype)).requires_grad_(not frozen)
    bfloat16_linear.make(model)
    return model[0]


def inputs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 24).bfloat16().requires_grad_()


def in_float32(linear: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    bias = None if linear.bias is None else linear.bias.float()
    return nn.functional.linear(x.float(), linear.weight.float(), bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(FEW,), (2, 40), (1, 2, FEW)])
def test_a_product_and_its_gradient_are_those_of_float32_rounded_once(shape, bias):
    linear, x = layer(bias), inputs(*shape)
    assert type(linear) is Bfloat16Linear
    wide = x.detach().float().requires_grad_()
    ours, exact = linear(x), in_float32(linear, wide)
    assert ours.dtype == torch.bfloat16 and ours.shape == exact.shape
    torch.testing.assert_close(ours, exact.bfloat16(), **ROUNDED)
    slope = torch.randn_like(exact).bfloat16()
    ours.backward(slope)
    exact.backward(slope.float())
    torch.testing.assert_close(x.grad, wide.grad.bfloat16(), rtol=2**-7, atol=1e-2 * float(wide.grad.abs().max()))
    assert linear.weight.grad is None


def test_products_in_float32_are_what_makes_it_faster(monkeypatch):
    """Where rows are many no product is computed in bfloat16, forth or back, within autocast or not."""
    formats = set()
    product, linear = torch.Tensor.__matmul__, nn.functional.linear
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: formats.add(a.dtype) or product(a, b))
    monkeypatch.setattr(nn.functional, "linear", lambda *words: formats.add(words[0].dtype) or linear(*words))
    for precision in ("float32", "bfloat16"):
        with devices.autocast(torch.device("cpu"), precision):
            layer()(inputs(FEW)).sum().backward()
        assert formats == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_within_autocast_any_numbers_are_rounded_to_bfloat16_as_torch_does(dtype):
    linear, x = layer(dtype=dtype), inputs(FEW).detach().float() + 1e-4
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = linear(x), nn.Linear.forward(linear, x)
    assert ours.dtype == torch.bfloat16 and x.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, **ROUNDED)
    ours.sum().backward()
    assert x.grad.dtype == torch.float32


def test_beyond_autocast_float32_stays_float32_and_formats_must_agree():
    x = inputs(FEW).float()
    wide = layer(dtype=torch.float32)
    assert torch.equal(wide(x), nn.Linear.forward(wide, x))
    with pytest.raises(RuntimeError, match="dtype"):
        layer()(x)


def test_a_few_rows_and_weights_that_train_are_as_ever():
    few = inputs(FEW - 1)
    assert torch.equal(layer()(few), nn.Linear.forward(layer(), few))
    trained, x = layer(frozen=False), inputs(FEW)
    assert torch.equal(trained(x), nn.Linear.forward(trained, x))
    trained(x).sum().backward()
    assert trained.weight.grad is not None


def test_weights_are_kept_in_two_bytes_for_the_way_back():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda each: kept.append(each) or each, lambda each: each):
        layer()(inputs(FEW))
    assert [each.dtype for each in kept] == [torch.bfloat16] and kept[0].shape == (13, 24)


def test_activations_may_be_recomputed():
    linear, x, again = layer(), inputs(FEW), inputs(FEW)
    again.data = x.data
    linear(x).sum().backward()
    checkpoint(linear, again, use_reentrant=False).sum().backward()
    assert torch.equal(x.grad, again.grad)


@pytest.mark.parametrize(
    ("has", "kind", "ours"),
    [
        (X86, "cpu", True),
        (X86 | {"avx512_bf16": False, "amx_bf16": False}, "cpu", True),
        (X86 | {"avx512_bf16": True}, "cpu", False),
        (X86 | {"amx_bf16": True}, "cpu", False),
        ({"architecture": "aarch64"}, "cpu", False),
        (X86, "cuda", False),
    ],
)
def test_only_processors_without_bfloat16_get_it(has, kind, ours, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(devices, "best", lambda: kind)
    assert isinstance(layer(), Bfloat16Linear) == ours


def test_an_expert_that_is_asked_for_bfloat16_computes_its_blocks_so():
    expert, images = backbone.load(str(bases.FOLDERS["expert"])), torch.randint(0, 256, (2, 3, 112, 112))
    wide, _ = expert.features(images)
    expert.precision = "bfloat16"
    narrow, _ = expert.features(images)
    assert any(type(each) is Bfloat16Linear for each in expert.model.modules())
    assert nn.functional.cosine_similarity(narrow.float(), wide).min() > 0.999 and not torch.equal(narrow, wide)


def test_a_loaded_vlm_has_them_in_bfloat16_and_its_verdicts_stay_close_to_those_of_float32():
    folder, shown = str(bases.FOLDERS["vlm"]), [Image.effect_noise((112, 112), 60).convert("RGB")]
    narrow, wide = (load.load(folder, precision=each) for each in ("bfloat16", "float32"))
    assert {type(each) for each in narrow.model.modules() if isinstance(each, nn.Linear)} == {Bfloat16Linear}
    assert verdict.p_fake(narrow, shown) == pytest.approx(verdict.p_fake(wide, shown), abs=0.05)
