"""The shipped bases: there, small, in hub format, loaded by the calls that load their big sisters, and as good as
their cards.
"""

import json

import numpy as np
import pytest
import timm
import torch

from aligngemini.expert import backbone
from aligngemini.images import autoencoder
from aligngemini.mini import bases, language, pretrain_expert, pretrain_vae, pretrain_vlm
from aligngemini.vlm import load, verdict


def card(name: str) -> dict:
    return json.loads((bases.FOLDERS[name] / "card.json").read_text())


def test_together_they_are_at_most_25_megabytes():
    files = [f for folder in bases.FOLDERS.values() for f in folder.rglob("*") if f.is_file()]
    assert 0 < sum(f.stat().st_size for f in files) <= 25e6


@pytest.mark.parametrize("name", bases.FOLDERS)
def test_each_has_weights_as_safetensors_only_and_a_card_with_its_command(name):
    names = {f.name for f in bases.FOLDERS[name].rglob("*") if f.is_file()}
    assert any(n.endswith(".safetensors") for n in names)
    assert not any(n.endswith((".bin", ".pt", ".pth", ".pkl")) for n in names)
    assert card(name)["command"] == f"aligngemini mini pretrain --only {name}"


def test_the_vlm_describes_as_well_as_its_card_says():
    vlm = load.load(str(bases.FOLDERS["vlm"]))
    again = pretrain_vlm.accuracy(vlm.model, vlm.processor, seed=card("vlm")["seed"])
    told = card("vlm")["accuracy"]
    mean = {
        which: np.mean([v for row in a.values() for v in row.values()]) for which, a in (("now", again), ("card", told))
    }
    assert mean["now"] == pytest.approx(mean["card"], abs=0.03)


def test_the_vlm_was_never_asked_for_a_verdict():
    """It has said the words, so that it can; but only after "Say:", and whatever the picture was."""
    lessons = [pretrain_vlm.lesson(0, "pretrain", i, bool(i % 3)) for i in range(0, 160, 2)]
    turns = [turn for _, told in lessons for turn in told]
    judging = [(request, answer) for request, answer in turns if "fake" in answer or "real" in answer]
    assert judging and all(request == f"Say: {answer}" for request, answer in judging)
    assert not any(request == verdict.QUESTION for request, _ in turns)
    assert f"Is this image real or fake? {language.HINT}" == verdict.QUESTION  # alike but for the two words


def test_lessons_teach_answers_and_nothing_else():
    tools = load.load(str(bases.FOLDERS["vlm"])).processor
    lessons = [pretrain_vlm.lesson(0, "pretrain/vlm", i) for i in (0, 16, 17)]
    batch = pretrain_vlm.encode(tools, lessons)
    for (_, turns), ids, labels in zip(lessons, batch["input_ids"], batch["labels"], strict=True):
        told = tools.tokenizer.decode(labels[labels >= 0])
        assert told == "".join(f"{answer}<|im_end|>" for _, answer in turns)
        assert (labels[labels >= 0] == ids[labels >= 0]).all()


def test_the_autoencoder_comes_back_at_the_psnr_of_its_card():
    model = autoencoder.load(str(bases.FOLDERS["vae"]))
    rgb = np.stack([pretrain_vae.picture(0, "examine/vae", i) for i in range(16)])
    error = (model.roundtrip(rgb).astype(float) - rgb) ** 2
    assert 10 * np.log10(255**2 / error.mean()) == pytest.approx(card("vae")["psnr"], abs=0.5)


def test_the_expert_reads_a_camera_setting_from_its_class_token():
    """The setting that its card calls best explained, by a linear fit on one half of fresh pictures."""
    setting, told = max(card("expert")["explained"].items(), key=lambda item: item[1])
    features = backbone.load(str(bases.FOLDERS["expert"])).model.eval()
    fresh = pretrain_expert.batch(0, 10**6)
    with torch.inference_mode():
        tokens = features.forward_head(features.forward_features(fresh["x"]), pre_logits=True)
    truth = fresh["y"][:, list(pretrain_expert.RANGES).index(setting)]
    fit = torch.linalg.lstsq(torch.cat([tokens[:48], torch.ones(48, 1)], 1), truth[:48, None], driver="gelsd").solution
    guess = torch.cat([tokens[48:], torch.ones(16, 1)], 1) @ fit
    assert told > 0.5 and np.corrcoef(guess[:, 0], truth[48:])[0, 1] > 0.5


def test_the_patch_embedding_starts_with_every_scale_of_a_picture_in_sight():
    """A random embedding of width 128 is nine tenths sky and ground; the whitening one spreads its outputs evenly."""
    fresh = pretrain_expert.begun(timm.create_model(bases.EXPERT_NAME, **bases.EXPERT_SHAPE), 0)
    with torch.inference_mode():
        seen = fresh.patch_embed(pretrain_expert.batch(1, 0)["x"]).flatten(0, 1)
    energy = seen.var(0).sort(descending=True).values
    assert energy[:13].sum() < 0.5 * energy.sum()
