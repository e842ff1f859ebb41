"""The architectures as published: how large they are, and where the expert's adapters land."""

import pytest
import torch

from aligngemini.expert import backbone
from aligngemini.rehearse import counts, doors, setting, shapes

PAPER = setting.of("paper", 1)
BLOCKS = {f"blocks.{block}.{layer}" for block in range(24) for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")}
# DINOv2's ViT-L/14 has 304,368,640, one mask token among them that only its pretraining needs; our head adds one logit.
EXPERT = 304_368_640 - 1024 + 1024 + 1


@pytest.mark.parametrize(
    ("build", "published"),
    [
        (lambda: shapes.vlm("paper", "meta", torch.bfloat16), 8_292_166_656),
        (lambda: shapes.expert("paper", "meta"), EXPERT),
        (lambda: shapes.vae("paper", "meta"), 83_653_863),
    ],
    ids=["Qwen2.5-VL-7B", "DINOv2 ViT-L/14", "SD2.1 autoencoder"],
)
def test_the_architectures_have_as_many_weights_as_published_and_take_no_memory(build, published):
    model = build()
    assert shapes.weights(model) == published
    assert all(weight.is_meta for weight in model.parameters())


def test_the_adapters_of_the_expert_land_on_the_four_layers_of_every_block_and_nowhere_else():
    trained = backbone.trainable(counts.expert(PAPER))
    adapters = trained[trained.weight.str.contains("lora_")]
    landed = adapters.weight.str.extract(r"base_model\.model\.(.*)\.lora_[AB]", expand=False)
    assert set(landed) == BLOCKS and len(adapters) == 2 * len(BLOCKS)
    assert adapters["values"].sum() == 3_145_728
    assert trained["values"].sum() - adapters["values"].sum() == 1024 + 1


def test_the_mini_processor_can_ask_the_large_model():
    model = counts.vlm(PAPER)
    config, batch = model.model.config, doors.asked(model.processor, doors.drawn(PAPER, 2))
    assert len(model.processor.tokenizer) <= config.text_config.vocab_size
    assert int((batch["input_ids"] == config.image_token_id).sum()) == 2 * 256
    assert int(batch["input_ids"].max()) < config.text_config.vocab_size
