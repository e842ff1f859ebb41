"""The published backbone, and a trained expert on disk: exactly the named weights, all facts, strict when loaded."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from aligngemini.core import adapters
from aligngemini.core.params import Refused
from aligngemini.expert import adapter, architectures, backbone, train, views
from aligngemini.images import decode
from aligngemini.mini import bases
from tests import model_card
from tests.expert.conftest import CFG, fresh

BASE = str(bases.FOLDERS["expert"])


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained[1] / "adapter", tmp_path / "adapter")


@pytest.mark.parametrize("name", ["vit_large_patch14_dinov2", "vit_large_patch14_reg4_dinov2"])
def test_lora_sits_on_four_layers_of_every_block_of_the_published_backbone(name):
    with torch.device("meta"):
        model = architectures.build(name)
        expert = backbone.with_lora(backbone.Expert(model, torch.zeros(1), torch.ones(1)), CFG.replace(lora_rank=8))
    trains = backbone.trainable(expert)
    adapted = trains[trains.weight.str.contains("lora_")]
    layers = adapted.weight.str.extract(r"blocks\.(\d+)\.(.+)\.lora_")
    assert set(layers[1]) == {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}
    assert set(layers[0].astype(int)) == set(range(24)) and len(adapted) == 24 * 4 * 2
    assert adapted["values"].sum() == 3_145_728  # DDA's number
    assert trains["values"].sum() - 3_145_728 == 1024 + 1  # the head


def test_the_head_sees_the_class_token_after_the_last_norm():
    model = architectures.build("vit_small_patch14_dinov2", depth=1, embed_dim=24, num_heads=2).eval()
    expert = backbone.Expert(model, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    torch.nn.init.normal_(model.norm.bias)
    picture = torch.randint(0, 256, (2, 3, 56, 70), dtype=torch.uint8)
    seen = {}
    model.norm.register_forward_hook(lambda module, taken, given: seen.update(norm=given))
    feature, logit = expert.judged(picture)
    assert torch.equal(feature, seen["norm"][:, 0]) and torch.equal(logit, model(picture / 255).squeeze(1))


def test_only_lora_and_head_ask_for_gradients():
    asking = [name for name, w in fresh().model.named_parameters() if w.requires_grad]
    assert asking and all("lora_" in name or "head.modules_to_save" in name for name in asking)


def test_what_peft_forgets_stands_beside_the_adapter(trained):
    facts = json.loads((trained[1] / "adapter" / adapters.FACTS).read_text())
    assert (facts["base"], facts["revision"], facts["architecture"]) == (BASE, "", "vit_small_patch14_dinov2")
    assert facts["crop"] == CFG.crop and facts["mean"][0] == 0.485 and facts["mode"] == "fixed"
    card = (trained[1] / "adapter" / "README.md").read_text()
    assert f"| base | {BASE} |" in card and "| pairs | 12 |" in card and "| crop | 112 |" in card


def test_the_code_on_the_card_judges_a_picture(trained, rows):
    folder, picture = trained[1] / "adapter", decode.read(rows.path[0]).rgb
    expert = adapter.with_adapter(backbone.load(BASE), folder)
    assert model_card.answer(folder, rows.path[0]) == expert.p_fake([views.window(picture, CFG.crop)])


def test_another_normalisation_comes_back_with_the_adapter(rows, tmp_path):
    clip = backbone.with_lora(backbone.load(BASE, "", "clip"), CFG)
    train.train(clip, rows, CFG.replace(epochs=0.3, workers=0), tmp_path / "c", tmp_path / "a")
    again = adapter.with_adapter(backbone.load(BASE), tmp_path / "a")
    assert torch.equal(again.mean, clip.mean) and not torch.equal(again.mean, backbone.load(BASE).mean)
    crops = [views.window(decode.read(path).rgb, 112) for path in rows.path]
    assert again.p_fake(crops).tolist() == clip.p_fake(crops).tolist()


@pytest.mark.parametrize("case", ["missing", "unknown"])
def test_an_adapter_with_a_weight_too_few_or_too_many_is_refused(copied, case):
    weights = load_file(copied / adapters.WEIGHTS)
    if case == "missing":
        weights.pop(next(name for name in weights if "blocks.2.mlp.fc1.lora_B" in name))
    else:
        weights["base_model.model.blocks.9.mlp.fc1.lora_B.weight"] = torch.zeros(2, 2)
    save_file(weights, copied / adapters.WEIGHTS)
    with pytest.raises(Refused, match="it lacks" if case == "missing" else "has no place for"):
        adapter.with_adapter(backbone.load(BASE), copied)


def test_an_adapter_of_another_architecture_is_refused(copied):
    facts = json.loads((copied / adapters.FACTS).read_text())
    (copied / adapters.FACTS).write_text(json.dumps(facts | {"architecture": "vit_small_patch14_reg4_dinov2"}))
    with pytest.raises(Refused, match="was made for vit_small_patch14_reg4_dinov2"):
        adapter.with_adapter(backbone.load(BASE), copied)


def test_an_adapter_without_readable_weights_or_facts_is_refused(copied):
    (copied / adapters.WEIGHTS).rename(copied / "adapter_model.bin")
    with pytest.raises(Refused, match="holds no adapter_model.safetensors"):
        adapter.with_adapter(backbone.load(BASE), copied)
    (copied / adapters.FACTS).write_text("{")
    with pytest.raises(Refused, match="damaged"):
        adapter.with_adapter(backbone.load(BASE), copied)
