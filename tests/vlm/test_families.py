"""Vision-language models of other families: one code path asks, scores, labels and trains them all."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from aligngemini.core import progress
from aligngemini.core.params import Refused
from aligngemini.vlm import (
    adapter,
    description_probe,
    dpo,
    image_size,
    labels,
    load,
    parts,
    preference_pairs,
    prompt_packing,
    template,
    verdict,
)
from aligngemini.vlm.params import VLMParams
from aligngemini.vlm.prompt_packing import PackedForward
from aligngemini.world import world
from tests import families

CFG = VLMParams(objective="dpo", batch_size=2, learning_rate=1e-2, lora_rank=4, share_prompt=True, max_pixels=12544)
PLAIN = {"qwen3_5", "gemma3"}  # their pairs are not packed
FROZEN = ("visual", "vision", "connector", "projector", "lm_head", "embed")


@pytest.fixture(scope="module", params=families.FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return families.write(family, tmp_path_factory.mktemp(family))


def base(folder) -> load.VLM:
    return load.load(str(folder), max_pixels=CFG.max_pixels)


@pytest.fixture(scope="module")
def vlm(folder) -> load.VLM:
    return base(folder)


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """Square, landscape and portrait."""
    shown = [Image.fromarray(world.draw(0, "t", i, bool(i % 2)).rgb) for i in range(3)]
    return [shown[0], shown[1].resize((168, 84)), shown[2].resize((90, 150))]


def test_it_is_loaded_as_what_it_is_and_its_prompts_hold_a_token_for_each_feature_of_its_images(family, vlm, images):
    assert vlm.model.config.model_type == family
    batch = verdict.prompts(vlm, images)
    seen = parts.image_features(vlm.model, batch)
    assert len(seen) == 3 and all(len(each) and each.shape[1] == 32 for each in seen)
    assert (seen[0].mean(0) - seen[1].mean(0)).abs().max() > 1e-4


def test_a_batch_of_images_of_any_shape_is_scored_as_one_by_one(vlm, images):
    together = verdict.p_fake(vlm, images)
    alone = np.concatenate([verdict.p_fake(vlm, [image]) for image in images])
    assert together.dtype == np.float64 and ((together > 0) & (together < 1)).all()
    assert np.allclose(together, alone, rtol=0, atol=1e-5) and np.ptp(alone) > 1e-4


@pytest.mark.parametrize(("name", "most"), [("smolvlm", 20), ("internvl", 20), ("qwen3_vl", 12)])
def test_max_pixels_says_how_many_tokens_an_image_has(tmp_path, images, name, most):
    """A large image becomes as many tiles (4 tokens each, and one for all of it) or squares as there is room for."""
    folder, large = families.write(name, tmp_path), images[0].resize((500, 500))
    for max_pixels, tokens in ((112 * 112, most), (32 * 32, 4 if most == 20 else 1)):
        vlm = load.load(str(folder), max_pixels=max_pixels)
        found = (verdict.prompts(vlm, [large])["input_ids"] == vlm.model.config.image_token_id).sum()
        assert tokens * 0.75 <= found <= tokens


def test_its_score_is_that_of_plain_forward_passes_over_both_sentences(vlm, images):
    prompt, lead = template.rendered(vlm.processor, verdict.QUESTION)
    log_p = []
    for label in (0, 1):
        options = {"images": [[images[1]]], "return_tensors": "pt", "add_special_tokens": False}
        batch = vlm.processor(text=[prompt + lead + verdict.VERDICTS[label]], **options)
        with torch.inference_mode():
            logs = vlm.model(**batch).logits[0].log_softmax(-1)
        log_p.append(logs[-2, batch["input_ids"][0, -1]].item())
    assert verdict.p_fake(vlm, [images[1]])[0] == pytest.approx(1 / (1 + math.exp(log_p[0] - log_p[1])), abs=1e-5)


def test_features_and_scores_come_from_one_look_at_the_images(vlm, images):
    looks, core = [], parts.core(vlm.model)
    hook = core.get_encoder("image").register_forward_hook(lambda *_: looks.append(1))
    try:
        scores, seen = verdict.judged(vlm, images)
    finally:
        hook.remove()
    assert len(looks) == 1 and np.array_equal(scores, verdict.p_fake(vlm, images))
    assert np.allclose(seen, verdict.features(vlm, images), atol=1e-6)
    assert "get_image_features" not in vars(core), "the model is left as it was"


def test_it_labels_and_describes_images(vlm, rows, images, monkeypatch):
    monkeypatch.setattr(labels, "TOKENS", 4)
    frame = labels._part(vlm, rows.head(3), seed=0)
    assert frame.chosen.str.startswith("This image is").all() and (frame.chosen != frame.rejected).all()
    monkeypatch.setattr(description_probe, "LONGEST", 3)
    assert len(description_probe.describe(vlm, images)) == 3
    assert not any("This image" in said for said in verdict.explain(vlm, images, [0, 1, 1], length=3))


def train(folder, rows, out, cfg=CFG):
    torch.manual_seed(0)
    trainer = dpo.build(base(folder), preference_pairs.from_remarks(rows.head(6)), cfg, out / "checkpoints")
    dpo.train(trainer, out / "adapter", adapter.facts(cfg, 6, trainer.processing_class))
    return trainer


@pytest.fixture(scope="module")
def trained(folder, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    return train(folder, rows, out), out / "adapter"


def test_training_moves_the_adapters_of_every_block_of_the_language_model_and_nothing_else(trained, vlm):
    trainer, _ = trained
    before, moved = dict(vlm.model.named_parameters()), set()
    for name, weight in trainer.model.named_parameters():
        plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
        if "lora_B" in name:
            moved |= {name} if weight.abs().max() > 0 else set()
        elif "lora_" not in name:
            assert not weight.requires_grad and torch.equal(weight, before[plain]), name
    modules, language = load.adapted_modules(trainer.model), parts.language_name(vlm.model)
    assert len(moved) == len(modules) and all(name.startswith(f"{language}.layers.") for name in modules)
    assert not any(part in name for part in FROZEN for name in modules)
    linear = [name for name, module in vlm.model.named_modules() if isinstance(module, torch.nn.Linear)]
    assert set(modules) == {name for name in linear if name.startswith(f"{language}.layers.")}
    assert dpo.history(trainer).loss.iloc[0] == pytest.approx(math.log(2), abs=1e-3)


def test_a_saved_adapter_comes_back_with_the_trained_scores(trained, folder, vlm, images):
    trainer, out = trained
    wanted = verdict.p_fake(load.VLM(trainer.model.eval(), trainer.processing_class, CFG.max_pixels), images)
    found = verdict.p_fake(adapter.with_adapter(base(folder), out), images)
    assert found == pytest.approx(wanted, abs=1e-5) and abs(found - verdict.p_fake(vlm, images)).max() > 1e-4
    assert json.loads((out / "facts.json").read_text())["processor"]["size"] == dict(vlm.processor.image_processor.size)


@torch.no_grad()
def test_remembered_features_and_packed_pairs_change_no_logit(family, trained, monkeypatch):
    model = trained[0].model.train()
    inputs = next(iter(trained[0].get_train_dataloader()))
    del inputs["completion_mask"]
    quick = model(**inputs).logits
    core = parts.core(model)
    language = core.get_decoder()
    assert isinstance(language.forward, PackedForward) == (family not in PLAIN)
    monkeypatch.setattr(language, "forward", getattr(language.forward, "run", language.forward))
    monkeypatch.delattr(core, "get_image_features")
    plain, there = model(**inputs).logits, inputs["attention_mask"].bool()
    assert torch.allclose(quick[there], plain[there], rtol=0, atol=2e-4) and plain[there].std() > 0.1


def test_an_image_processor_without_a_size_has_facts_and_gets_large_images():
    """Gemma 4 limits the tokens of an image, and its processor's size is None."""
    processor = SimpleNamespace(image_processor=SimpleNamespace(size=None, patch_size=16))
    image = Image.new("RGB", (300, 300))
    assert image_size.look(SimpleNamespace(processor=processor), image) is image
    assert adapter.facts(CFG, 6, processor)["processor"] == {"size": {}, "patch_size": 16}


def test_a_model_whose_pairs_cannot_be_packed_says_so_once(tmp_path, capsys):
    vlm = base(families.write("gemma3", tmp_path))
    progress.say_once.cache_clear()
    for _ in range(2):
        prompt_packing.pack_prompts(vlm.model)
    assert capsys.readouterr().err.count("models of type gemma3 are not known to allow it") == 1


def test_a_template_that_lets_a_model_think_is_told_not_to(tmp_path):
    """In training and in scoring: both see the same prompt."""
    vlm = base(families.write("qwen3_5", tmp_path))
    text, _ = template.rendered(vlm.processor, verdict.QUESTION)
    assert text.endswith("<think>\n\n</think>\n\n")
    assert verdict.prompts(vlm, [Image.new("RGB", (64, 64))])["input_ids"].shape[1] > 40


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "llama"}, "no image-text-to-text model of the installed transformers"),
        ({"model_type": "internvl_chat", "auto_map": {"AutoConfig": "code.Config"}}, "no image-text-to-text model"),
        ({"model_type": None}, "no image-text-to-text model"),
    ],
)
def test_a_model_of_another_kind_is_refused_in_a_sentence_and_its_code_is_not_run(tmp_path, changes, reason):
    families.write("smolvlm", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text("raise SystemExit('run')")
    with pytest.raises(Refused, match=reason):
        load.load(str(tmp_path))


def test_a_model_without_a_chat_template_is_refused_in_a_sentence(tmp_path):
    families.write("smolvlm", tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(Refused, match="no chat template"):
        load.load(str(tmp_path))


def test_a_template_that_shows_no_image_is_refused_in_a_sentence(tmp_path):
    families.write("smolvlm", tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0]['role'] }}{% if messages[1:] %}!{% endif %}")
    with pytest.raises(Refused, match="has no <image> where the image goes"):
        load.load(str(tmp_path))
