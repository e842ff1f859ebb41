"""The shipped bases: there, small, in hub format, loaded by the calls that load their big sisters, and as good as
their cards.
"""

import json
from functools import cache

import numpy as np
import pytest
import timm
import torch

from aligngemini.expert import backbone
from aligngemini.images import autoencoder
from aligngemini.mini import bases, pretrain, pretrain_expert, pretrain_vae, pretrain_vlm
from aligngemini.vlm import load

VLMS = ("vlm_neutral", "vlm")


def card(name: str) -> dict:
    return json.loads((bases.FOLDERS[name] / "card.json").read_text())


def test_together_they_are_at_most_25_megabytes():
    files = [f for f in bases.HOME.rglob("*") if f.is_file()]
    assert 0 < sum(f.stat().st_size for f in files) <= 25e6


def test_every_base_can_be_made_again():
    assert pretrain.STEPS.keys() == bases.FOLDERS.keys()


@pytest.mark.parametrize("name", bases.FOLDERS)
def test_each_has_weights_as_safetensors_only_and_a_card_with_its_command(name):
    names = {f.name for f in bases.FOLDERS[name].rglob("*") if f.is_file()}
    assert any(n.endswith(".safetensors") for n in names) and "README.md" in names
    assert not any(n.endswith((".bin", ".pt", ".pth", ".pkl")) for n in names)
    assert card(name)["command"] == f"aligngemini mini pretrain --only {name}"


@pytest.fixture(scope="module")
def drawn_once():
    """Both VLMs are shown the same pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain_vlm, "shown", cache(pretrain_vlm.shown))
        yield


@pytest.mark.parametrize("name", VLMS)
def test_a_vlm_describes_and_judges_as_well_as_its_card_says(name, drawn_once):
    vlm = load.load(str(bases.FOLDERS[name]))
    again = pretrain_vlm.examine(vlm.model, vlm.processor, seed=card(name)["seed"])
    for what in ("accuracy", "judgement"):
        now, then = (np.mean([v for row in a[what].values() for v in row.values()]) for a in (again, card(name)))
        assert now == pytest.approx(then, abs=0.02)


def test_the_two_vlms_share_eyes_and_words_and_differ_in_what_they_were_told_last():
    neutral, evaluative = (load.load(str(bases.FOLDERS[name])).model.state_dict() for name in VLMS)
    same = {key: torch.equal(neutral[key], evaluative[key]) for key in neutral}
    assert all(equal for key, equal in same.items() if "visual" in key)
    assert not any(equal for key, equal in same.items() if "language_model.layers" in key)
    assert card("vlm")["log_words"] == card("vlm_neutral")["log_words"]


@pytest.mark.parametrize("family", pretrain_vae.FAMILIES)
def test_an_autoencoder_comes_back_at_the_psnr_of_its_card_and_above_26_decibels(family):
    model = autoencoder.load(str(bases.FOLDERS[family]))
    rgb = np.stack([pretrain_vae.picture(0, "examine/vae", i)[0] for i in range(24)])
    again = model.roundtrip(rgb)
    found = 10 * np.log10(255**2 / ((again.astype(float) - rgb) ** 2).mean())
    assert found >= 26 and found == pytest.approx(card(family)["psnr"]["before JPEG"], abs=0.7)
    assert np.array_equal(again, model.roundtrip(rgb))
    assert model.roundtrip(rgb[:1, :75, :50]).shape == (1, 75, 50, 3)


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
