"""The slips of the released DDA code: mode faithful has them, mode fixed is free of them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft.tuners import lora

from aligngemini.core.lora import Linear
from aligngemini.core.seeds import generator
from aligngemini.expert import adapter, architectures, backbone, batches, objective, train
from aligngemini.expert.sample import sample
from aligngemini.mini import bases
from tests.expert.conftest import CFG, fresh

MODES = ["faithful", "fixed"]


def weights(expert, part: str) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in expert.model.named_parameters() if part in name}


@pytest.fixture
def stepped(rows):
    """Take one update in a mode: (names and how far each weight of a part moved at most)."""

    def step(mode: str, part: str) -> dict[str, float]:
        expert, cfg = fresh(mode=mode), CFG.replace(mode=mode)
        before = weights(expert, part)
        batch = batches.Batches(batches.match_real_fake(rows, 0), cfg, 0)[0]
        train.update(expert, objective.optimiser(expert, cfg), [batch], cfg)
        return {name: (w - before[name]).abs().max().item() for name, w in weights(expert, part).items()}

    return step


@pytest.mark.parametrize("mode", MODES)
def test_slip_1_the_head_never_trains(stepped, mode):
    moved = stepped(mode, "head.modules_to_save")
    assert len(moved) == 2 and all((most > 0) == (mode == "fixed") for most in moved.values())
    assert all(most == 0 for most in stepped(mode, "head.original_module").values())


@pytest.mark.parametrize(("mode", "times"), [("faithful", 2), ("fixed", 1)])
def test_slip_2_an_update_moves_lora_twice(stepped, mode, times):
    assert max(stepped(mode, "lora_B").values()) == pytest.approx(times * CFG.learning_rate, rel=0.02)


def test_slip_2_is_exactly_what_a_list_with_every_weight_twice_does():
    start = torch.randn(5, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*duplicate parameters.*")
        listed_twice = torch.optim.AdamW([theirs, theirs], lr=1e-2, weight_decay=0.0, foreach=False)
    listed_once = torch.optim.AdamW([ours], lr=1e-2, weight_decay=0.0, foreach=False)
    for step in range(20):
        for weight, optim, times in ((ours, listed_once, objective.moves("faithful")), (theirs, listed_twice, 1)):
            optim.zero_grad()
            (weight.sin().sum() * (step + 1)).backward()
            for _ in range(times):
                optim.step()
    assert torch.equal(ours, theirs) and not torch.equal(ours, start)


def test_each_weight_is_listed_once():
    for mode in MODES:
        expert = fresh(mode=mode)
        listed = [w for group in objective.optimiser(expert, CFG).param_groups for w in group["params"]]
        assert len({id(w) for w in listed}) == len(listed) == 32 + 2 * (mode == "fixed")


def test_slip_3_the_rate_climbs_again():
    weight = torch.nn.Parameter(torch.zeros(1))
    optim = torch.optim.SGD([weight], lr=1.0)
    released = torch.optim.lr_scheduler.CosineAnnealingLR(optim, T_max=1000, eta_min=0.001)
    for step in range(2500):
        assert objective.rate(step, 2500, "faithful") == pytest.approx(optim.param_groups[0]["lr"], abs=1e-6)
        optim.step()
        released.step()
    rates = [objective.rate(step, 2500, "fixed") for step in range(2500)]
    assert rates[0] == 1 and all(a > b for a, b in zip(rates, rates[1:], strict=False)) and rates[-1] < 0.01


@pytest.mark.parametrize("mode", MODES)
def test_slip_6_the_coefficient_stands_on_the_fake(mode):
    """Drawn from 0 to 0.8: on the fake it leaves at least a fifth of the photograph, on the photograph at most four."""
    cfg = CFG.replace(mode=mode, pixel_mix_probability=1.0)
    shares = [sample(cfg, generator("mix", i)).share for i in range(300)]
    assert (min(shares) > 0.19, max(shares) > 0.81) == ((mode == "faithful"),) * 2
    assert all(sample(CFG.replace(mode=mode), generator("mix", i)).share == 0 for i in range(20))


def test_a_frequency_mix_puts_its_weight_on_the_photograph_in_both():
    for mode in MODES:
        cfg = CFG.replace(mode=mode, frequency_mix_probability=1.0)
        shares = [sample(cfg, generator("mix", i)).share for i in range(300)]
        assert min(shares) < 0.05 and 0.75 < max(shares) <= 0.8


def test_the_contrastive_loss_pulls_likes_together_and_pushes_others_apart():
    label = torch.tensor([0.0, 0, 1, 1])
    near = torch.tensor([[1.0, 0], [2, 0], [0, 1], [0, 3]])  # two directions, whatever the length
    assert objective.contrast(near, label).item() == pytest.approx(0, abs=1e-5)
    assert objective.contrast(near, torch.tensor([0.0, 1, 0, 1])).item() == pytest.approx(2**0.5 + 1, abs=1e-5)
    same = torch.ones(4, 2, requires_grad=True)
    objective.contrast(same, label).backward()
    assert same.grad.isfinite().all()


def test_the_weight_divides_the_loss_between_entropy_and_contrast(rows):
    expert, cfg = fresh(), CFG
    batch = batches.Batches(batches.match_real_fake(rows, 0), cfg, 0)[0]
    entropy, half, contrast = (objective.loss(expert, batch, weight).item() for weight in (0.0, 0.5, 1.0))
    assert half == pytest.approx((entropy + contrast) / 2, rel=1e-5) and entropy != pytest.approx(contrast)


def grid_of(picture: int) -> backbone.Expert:
    """A small DINOv2 for pictures of 518 px, as the published one is, with positions of its own."""
    torch.manual_seed(0)
    shape = {"depth": 1, "embed_dim": 24, "num_heads": 2, "img_size": picture}
    model = architectures.build("vit_small_patch14_dinov2", **shape).eval()
    torch.nn.init.normal_(model.pos_embed)
    return backbone.Expert(model, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))


def by_dinov2(table: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Position embeddings [1, 1 + rows columns, d] as facebookresearch/dinov2 resamples them without registers."""
    first, patches = table[:, :1], table[:, 1:]
    side = int(patches.shape[1] ** 0.5)
    patches = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = (float(rows + 0.1) / side, float(columns + 0.1) / side)
    patches = torch.nn.functional.interpolate(patches, mode="bicubic", antialias=False, scale_factor=scale)
    assert patches.shape[-2:] == (rows, columns)
    return torch.cat([first, patches.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)], 1)


@pytest.mark.parametrize(("rows", "columns"), [(24, 24), (16, 24), (37, 37)])
def test_faithful_resamples_position_embeddings_as_dinov2_does_and_fixed_as_timm(rows, columns):
    fixed, released = grid_of(518), backbone.as_released(grid_of(518))
    patches = torch.randn(2, rows, columns, 24)
    bare = torch.cat([fixed.model.cls_token.expand(2, -1, -1), patches.flatten(1, 2)], 1)
    with torch.no_grad():
        ours, theirs = (expert.model._pos_embed(patches) for expert in (fixed, released))
    native = rows == columns == 37
    wanted = fixed.model.pos_embed if native else by_dinov2(fixed.model.pos_embed, rows, columns)
    assert torch.allclose(theirs, bare + wanted, atol=1e-5) and torch.allclose(ours, theirs, atol=1e-3) == native


def test_a_backbone_with_registers_keeps_its_positions_which_dinov2_resamples_as_timm_does():
    model = architectures.build("vit_small_patch14_reg4_dinov2", depth=1)
    before = model._pos_embed
    backbone.as_released(backbone.Expert(model, torch.zeros(1), torch.ones(1)))
    assert model._pos_embed == before


def test_a_faithful_adapter_comes_back_computed_as_it_was_trained(rows, tmp_path):
    for mode in MODES:
        expert, cfg = fresh(mode=mode), CFG.replace(mode=mode, epochs=0.3, workers=0)
        train.train(expert, rows, cfg, tmp_path / f"c{mode}", tmp_path / mode)
        again = adapter.with_adapter(backbone.load(str(bases.FOLDERS["expert"])), tmp_path / mode)
        assert again.released == expert.released == (mode == "faithful")
        crops = [np.full((70, 84, 3), 90, np.uint8), np.full((70, 84, 3), 160, np.uint8)]
        assert again.p_fake(crops).tolist() == expert.p_fake(crops).tolist()


def _gradients(rows, cast: bool, layers=lora.Linear, precision="bfloat16") -> tuple[torch.dtype, list[torch.Tensor]]:
    """What LoRA's first matrix gets in an update, and the gradients; cast: as PEFT does of its own."""
    expert, given = replace(fresh(), precision=precision), []
    for name, layer in expert.model.named_modules():
        if isinstance(layer, lora.Linear):
            layer.__class__ = layers
        if cast and hasattr(layer, "cast_input_dtype_enabled"):
            layer.cast_input_dtype_enabled = True
        if name.endswith("lora_B.default"):
            torch.nn.init.normal_(layer.weight, std=0.02)
        if name.endswith("fc2.lora_A.default"):
            layer.register_forward_pre_hook(lambda layer, values: given.append(values[0].dtype))
    objective.loss(expert, batches.Batches(batches.match_real_fake(rows, 0), CFG)[0]).backward()
    return given[0], [weight.grad for weight in expert.model.parameters() if weight.requires_grad]


def test_lora_copies_nothing_to_float32_for_autocast_to_copy_it_back_and_gradients_stay(rows):
    (as_peft, wide), (ours, narrow) = (_gradients(rows, cast) for cast in (True, False))
    assert (as_peft, ours) == (torch.float32, torch.bfloat16)
    assert all(torch.equal(*pair) and pair[0].any() for pair in zip(wide, narrow, strict=True))


def test_lora_within_a_matrix_product_has_the_gradients_of_peft_and_in_bfloat16_no_larger_an_error(rows):
    (_, exact), (_, ours) = (_gradients(rows, True, each, "float32") for each in (lora.Linear, Linear))
    assert all(torch.allclose(*pair, rtol=1e-4, atol=1e-6) and pair[0].any() for pair in zip(exact, ours, strict=True))
    kind, ours = _gradients(rows, False, Linear)
    _, theirs = _gradients(rows, False)
    errors = [sum((a - b).norm() for a, b in zip(exact, each, strict=True)) for each in (ours, theirs)]
    assert kind == torch.bfloat16 and errors[0] <= 1.1 * errors[1]


def test_an_adapter_trained_in_bfloat16_on_a_processor_judges_in_bfloat16(rows, tmp_path):
    expert, cfg = fresh(), CFG.replace(precision="bfloat16", epochs=0.3, workers=0)
    expert = replace(expert, precision="bfloat16")
    train.train(expert, rows, cfg, tmp_path / "c", tmp_path / "a")
    again = adapter.with_adapter(backbone.load(str(bases.FOLDERS["expert"])), tmp_path / "a")
    crops = [np.full((70, 84, 3), 90, np.uint8), np.full((70, 84, 3), 160, np.uint8)]
    wide = replace(again, precision="float32").p_fake(crops)
    assert again.p_fake(crops).tolist() == expert.p_fake(crops).tolist() != wide.tolist()
    assert again.p_fake(crops) == pytest.approx(wide, abs=0.02)
