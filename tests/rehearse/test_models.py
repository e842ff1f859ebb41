"""The architectures as published: how large they are, what they take, and where the expert's adapters land."""

import psutil
import pytest

from aligngemini.expert import backbone
from aligngemini.rehearse import models, setting
from aligngemini.vlm import verdict

PAPER = setting.make("paper")
BLOCKS = {f"blocks.{block}.{layer}" for block in range(24) for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")}
# DINOv2's ViT-L/14 has 304,368,640, one mask token among them that only its pretraining needs; our head adds one logit.
EXPERT = 304_368_640 - 1024 + 1024 + 1
ADAPTERS = 3_145_728


@pytest.fixture(scope="module")
def vlm():
    return models.vlm(PAPER.single(), None, models.HOLLOW)[0]


def weights(module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_vlm_has_as_many_weights_as_published_and_takes_no_memory_for_them():
    before = psutil.Process().memory_info().rss
    model, module = models.vlm(PAPER.single(), None, models.HOLLOW)
    assert weights(module) == 8_292_166_656 and psutil.Process().memory_info().rss - before < 2e9


@pytest.mark.parametrize(
    "scale, vlm, vae, expert",
    [("colab", 3_754_622_976, 83_653_863, 86.6), ("laptop", 256_484_928, 2_445_063, 22.1)],  # the cards say of experts
)
def test_the_models_of_the_scales_between_have_as_many_weights_as_published(scale, vlm, vae, expert, tmp_path):
    tried = setting.make(scale)
    assert weights(models.vlm(tried.single(), None, models.HOLLOW)[1]) == vlm
    assert weights(models.vae(tried, tmp_path, "cpu")[1]) == vae
    module = models.expert(tried, None, "meta")[1]
    assert sum(weight.numel() for weight in module.parameters() if not weight.requires_grad) / 1e6 == pytest.approx(
        expert, abs=0.06
    )


def test_the_autoencoder_has_as_many_weights_as_published(tmp_path):
    model, module = models.vae(PAPER, tmp_path, "cpu")
    assert weights(module) == 83_653_863 and model.factor == 8


def test_the_adapters_of_the_expert_land_on_the_four_layers_of_every_block_and_nowhere_else():
    expert, module = models.expert(PAPER, None, "meta")
    trained = backbone.trainable(expert)
    adapters = trained[trained.weight.str.contains("lora_")]
    landed = adapters.weight.str.extract(r"base_model\.model\.(.*)\.lora_[AB]", expand=False)
    assert set(landed) == BLOCKS and len(adapters) == 2 * len(BLOCKS)
    assert adapters["values"].sum() == ADAPTERS
    assert trained["values"].sum() - adapters["values"].sum() == 1024 + 1
    assert weights(module) == EXPERT + ADAPTERS + 1024 + 1  # the head, and the copy of it that trains


def test_the_mini_processor_can_ask_the_large_model(vlm):
    from PIL import Image

    config, batch = vlm.model.config, verdict.prompts(vlm, [Image.new("RGB", PAPER.size("vlm"))] * 2)
    assert len(vlm.processor.tokenizer) <= models.WORDS <= config.text_config.vocab_size
    assert int((batch["input_ids"] == config.image_token_id).sum()) == 2 * 256
    assert int(batch["input_ids"].max()) < config.text_config.vocab_size


def test_no_two_words_of_a_model_without_weights_are_alike(vlm):
    words = vlm.model.get_input_embeddings().weight[: models.WORDS].float()
    assert len(words.unique(dim=0)) == models.WORDS


def test_smolvlm2_is_asked_behind_its_own_processor_and_sees_one_tile_of_64_tokens():
    from PIL import Image

    laptop = setting.make("laptop")
    model, _ = models.vlm(laptop.single(), None, models.HOLLOW)
    batch = verdict.prompts(model, [Image.new("RGB", laptop.size("vlm"))] * 2)
    assert (batch["input_ids"] == model.model.config.image_token_id).sum(1).tolist() == [64, 64]
    assert len(model.processor.tokenizer) <= models.WORDS
