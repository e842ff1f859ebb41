"""Backbones of other families: each trains where its table says, comes back, and refuses what it cannot take."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch

from aligngemini.core import adapters
from aligngemini.core.params import Refused
from aligngemini.expert import adapter, architectures, backbone, batches, objective, train, views
from aligngemini.expert.params import ExpertParams
from aligngemini.images import decode
from aligngemini.mini import bases
from aligngemini.peers import frozen
from tests import backbones
from tests.expert.conftest import CFG


@pytest.fixture(scope="module", params=backbones.FAMILIES)
def base(request, tmp_path_factory):
    """The folder of a small backbone, the parameters that it trains with, and the sides of its patches."""
    where = backbones.folder(tmp_path_factory.mktemp("bases"), request.param)
    patch = {"patch14": 14, "patch16": 16, "patch32": 32}
    side = next((px for word, px in patch.items() if word in request.param), 1)
    return where, CFG.replace(base=where, crop=96 if side in (1, 32) else 4 * side, lora_rank=2), side


def tuned(base):
    torch.manual_seed(1)
    return backbone.with_lora(backbone.load(base[0]), base[1])


def state(expert) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in expert.model.state_dict().items()}


def test_a_step_moves_adapters_and_head_and_nothing_else_and_all_comes_back(base, rows, tmp_path):
    expert, config = tuned(base), base[1]
    before, optim = state(expert), objective.optimiser(expert, config)
    expert.model.train()
    batch = batches.Batches(batches.match_real_fake(rows, 0), config)[0]
    assert [np.isfinite(train.update(expert, optim, [batch], config)) for _ in range(2)] == [True, True]
    moved = {name for name, value in state(expert).items() if not torch.equal(value, before[name])}
    trains = set(backbone.trainable(expert).weight)
    head = architectures.head(expert.model.get_base_model())
    assert moved == trains and all("lora_" in name or f"{head}.modules_to_save" in name for name in trains)
    saved = adapter.save(expert, tmp_path, adapter.facts(expert, config, 4, 2))
    again = adapter.with_adapter(backbone.load(base[0]), saved)
    crops = [views.window(decode.read(path).rgb, config.crop) for path in rows.path]
    scores = again.p_fake(crops)
    assert scores.tolist() == expert.p_fake(crops).tolist() and ((scores > 0) & (scores < 1)).all()
    assert len(set(scores)) == len(crops)


LAYERS = dict(zip(backbones.FAMILIES, [8, 8, 10, 8, 8, 8, 7], strict=True))


def test_every_block_has_adapters_and_nothing_beside_the_blocks(base):
    trains = backbone.trainable(tuned(base)).weight
    adapted = set(trains[trains.str.contains("lora_")].str.partition(".lora_")[0])
    assert len(adapted) == LAYERS[base[0].rpartition("/")[2]]
    assert not any("patch_embed" in name or "attn_pool" in name for name in adapted)


def test_features_are_those_of_timm_and_know_their_places(base):
    expert = backbone.load(base[0])
    crops = np.random.default_rng(0).integers(0, 256, (2, base[1].crop, base[1].crop, 3), np.uint8)
    pixels = expert.pixels(views.tensor(crops))
    expert.model.eval()
    with torch.no_grad():
        pooled, patches = architectures.features(expert.model, pixels)
        assert torch.equal(expert.model.get_classifier()(pooled), expert.model(pixels))
        assert torch.allclose(architectures.pooled(expert.model, pixels), pooled, atol=1e-6)
    side = base[1].crop // (base[2] if base[2] > 1 else 32)
    assert patches.shape == (2, side**2, expert.model.num_features)
    seen = expert.frozen(list(crops))
    assert seen.shape == (2, 3 * expert.model.num_features) and np.isfinite(seen).all()
    assert np.allclose(seen, expert.frozen(list(crops[::-1]))[::-1], atol=1e-5)
    narrow = replace(expert, precision="bfloat16").p_fake(list(crops))
    assert narrow == pytest.approx(expert.p_fake(list(crops)), abs=0.05)
    peer = frozen.load(base[0])
    assert peer.class_tokens(crops).shape == (2, expert.model.num_features)
    assert peer.patch_tokens(crops).shape == patches.shape


def test_the_last_block_computes_the_class_token_alone_where_the_head_sees_no_more():
    """The logits and the gradients of all adapters stay what they are; checkpointing keeps timm's own way."""
    expert = backbone.with_lora(backbone.load("data/mini/expert"), CFG)
    model, rows = adapters.base(expert.model), []
    images = torch.randint(0, 256, (3, 3, 112, 112), dtype=torch.uint8)
    for name, weight in expert.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)  # zeros would hide what reaches A
    model.blocks[-1].mlp.register_forward_hook(lambda block, given, result: rows.append(result.shape[1]))

    def seen(checkpointing: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model.set_grad_checkpointing(checkpointing)
        expert.model.zero_grad()
        logits = expert.judged(images)[1]
        logits.square().sum().backward()
        return logits.detach(), {name: each.grad.clone() for name, each in weights(expert)}

    (logits, gradients), (wanted, whole) = seen(False), seen(True)
    assert rows[0] == 1 and rows[-1] == 65
    assert torch.allclose(logits, wanted, atol=1e-6) and gradients.keys() == whole.keys()
    for name, gradient in whole.items():
        assert gradient.abs().max() > 0 and torch.allclose(gradients[name], gradient, rtol=1e-3, atol=1e-6), name


def weights(expert) -> list[tuple[str, torch.nn.Parameter]]:
    """The weights that train, by name."""
    return [(name, each) for name, each in expert.model.named_parameters() if each.requires_grad]


def test_colours_are_the_backbones_own_unless_clip_is_asked_for(base):
    own = timm.data.resolve_model_data_config(backbone.load(base[0]).model)
    for name, mean in (("base", own["mean"]), ("clip", backbone.CLIP[0])):
        assert backbone.load(base[0], "", name).mean.flatten().tolist() == pytest.approx(mean)


def test_a_crop_that_cuts_patches_is_refused_by_name_and_by_the_model(base):
    where, config, side = base
    expert = backbone.load(where)
    if side == 1:
        assert np.isfinite(expert.p_fake([np.zeros((77, 77, 3), np.uint8)])).all()
        assert np.isfinite(expert.frozen([np.zeros((32, 32, 3), np.uint8)])).all()  # one place alone
        return
    for given in (where, f"owner/{where.rpartition('/')[2]}"):
        with pytest.raises(Refused, match=f"multiple of {side}, the patch size of"):
            ExpertParams(base=given, crop=side * 4 + 1)
    with pytest.raises(Refused, match=f"multiple of {side} px"):
        expert.p_fake([np.zeros((side * 4 + 1,) * 2 + (3,), np.uint8)])


@pytest.mark.parametrize(
    "name", ["vit_large_patch16_dinov3", "convnext_large", "tf_efficientnetv2_s", "eva02_base_patch14_224"]
)
def test_lora_fits_the_true_sizes(name):
    with torch.device("meta"):
        model = architectures.build(name)
        expert = backbone.with_lora(backbone.Expert(model, torch.zeros(1), torch.ones(1)), CFG)
    trains = backbone.trainable(expert).weight
    assert len(trains[trains.str.contains("lora_")]) >= 36 and len(trains[trains.str.contains("modules_to_save")]) == 2


def test_an_architecture_without_a_known_place_for_lora_is_refused_with_those_that_have_one(tmp_path):
    folder = shutil.copytree(bases.FOLDERS["expert"], tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architecture": "resnet18", "model_args": {}}))
    with pytest.raises(Refused, match="architecture 'resnet18': choose one of ViT .*DINOv3.*ConvNeXt.*EfficientNet"):
        backbone.load(str(folder))
    (folder / "config.json").write_text(json.dumps({"architectures": ["Dinov2Model"]}))
    with pytest.raises(Refused, match="names no architecture, as timm's do"):
        backbone.load(str(folder))


def test_a_folder_without_its_configuration_is_refused_in_a_sentence(tmp_path):
    folder = shutil.copytree(bases.FOLDERS["expert"], tmp_path / "base")
    (folder / "config.json").unlink()
    with pytest.raises(Refused, match="it has no config.json, as timm's save_for_hf writes it"):
        backbone.load(str(folder))


@pytest.mark.parametrize("channels", [1, 4])
def test_a_backbone_for_images_of_other_channels_is_refused_in_a_sentence(tmp_path, channels):
    sizes = backbones.FAMILIES["convnext_tiny"] | {"in_chans": channels, "num_classes": 0}
    model = timm.create_model("convnext_tiny", **sizes)
    timm.models.save_for_hf(model, tmp_path, model_args=sizes, safe_serialization=True)
    with pytest.raises(Refused, match=f"takes images of {channels} channels, and those of this project have 3"):
        backbone.load(str(tmp_path))


@pytest.mark.parametrize("peer", ["effort", "mirror"])
def test_peers_that_adapt_attention_refuse_a_backbone_without_it(tmp_path, peer):
    model = backbone.load(backbones.folder(tmp_path, "convnext_tiny")).model
    with pytest.raises(Refused, match=f"{peer} adapts the attention of a ViT"):
        architectures.check_fused_attention(model, peer)
