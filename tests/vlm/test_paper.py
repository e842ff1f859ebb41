"""The published size without its weights: on the meta device, where LoRA lands, and what is refused before a download.

The numbers are those of Qwen/Qwen2.5-VL-7B-Instruct's config.json on the hub.
"""

import re

import peft
import pytest
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from aligngemini.core import recipes, stages
from aligngemini.core.params import Refused, build
from aligngemini.vlm import dpo, load, parts
from aligngemini.vlm.params import VLMParams

LAYERS, WIDE, INNER, GROUPED = 28, 3584, 18944, 512  # GROUPED: 4 key and value heads of 128
PAPER = build(VLMParams, recipes.recipe("paper", stages.STAGES["02_vlm_dpo"]))


@pytest.fixture(scope="module")
def config():
    text = {"hidden_size": WIDE, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "vocab_size": 152064}
    text |= {"num_attention_heads": 28, "num_key_value_heads": 4, "max_window_layers": LAYERS}
    text["rope_scaling"] = {"type": "mrope", "mrope_section": [16, 24, 24]}
    vision = {"depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420, "out_hidden_size": WIDE}
    vision |= {"patch_size": 14, "window_size": 112, "spatial_merge_size": 2, "fullatt_block_indexes": [7, 15, 23, 31]}
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False)


@pytest.fixture(scope="module")
def adapted(config):
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
        assert sum(weight.numel() for weight in model.parameters()) == 8_292_166_656
        return peft.get_peft_model(model, dpo.lora(load.VLM(model, None), PAPER))


def test_lora_lands_on_seven_projections_of_every_layer_and_on_none_of_the_vision_tower(adapted):
    modules = load.adapted_modules(adapted)
    assert len(modules) == LAYERS * 7 and not any("visual" in name for name in modules)
    places = {re.sub(r"\.\d+\.", ".N.", name) for name in modules}
    mixing = {f"model.language_model.layers.N.self_attn.{name}_proj" for name in "qkvo"}
    assert places == mixing | {f"model.language_model.layers.N.mlp.{name}_proj" for name in ("gate", "up", "down")}


def test_it_has_as_many_values_as_the_shapes_say(adapted):
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    ends = [(WIDE, WIDE), (WIDE, GROUPED), (WIDE, GROUPED), (WIDE, WIDE), (WIDE, INNER), (WIDE, INNER), (INNER, WIDE)]
    assert trained == LAYERS * 16 * sum(wide + narrow for wide, narrow in ends) == 40_370_176


def test_the_recipe_has_the_published_values():
    assert (PAPER.lora_rank, PAPER.lora_alpha, PAPER.beta, PAPER.learning_rate) == (16, 32.0, 0.05, 1e-6)
    assert PAPER.labeller == "base" and PAPER.gradient_checkpointing and PAPER.share_prompt
    assert PAPER.max_pixels // 784 == 256


def test_four_bits_without_a_gpu_or_without_the_package_are_refused_before_anything_loads(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Refused, match="needs a GPU"):
        load.load("owner/name", precision="bfloat16", quantise="4bit")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"\[quantise\]"):
        load.load("owner/name", precision="bfloat16", quantise="4bit")


def test_four_bits_are_those_of_qlora(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(load, "find_spec", lambda name: name)
    config = load.quantised("4bit")["quantization_config"]
    assert config.load_in_4bit and config.bnb_4bit_quant_type == "nf4" and config.bnb_4bit_use_double_quant
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


def test_four_bits_spare_the_vision_tower_and_the_vocabulary(config):
    assert parts.beside_language(config) == ["model.visual", "lm_head"]
