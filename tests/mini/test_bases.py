"""The shipped bases: there, small, in hub format, loaded by the calls that load their big sisters, and as good as
their cards.
"""

import json

import numpy as np
import pytest
import torch

from aligngemini.expert import backbone
from aligngemini.images import autoencoder
from aligngemini.mini import bases, pretrain_expert, pretrain_vae, pretrain_vlm
from aligngemini.vlm import load


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
    told = [pretrain_vlm.lesson(0, "pretrain/vlm", i)[1:] for i in (0, 5, 33, 40, 70)]
    assert not any("fake" in text or "real" in text for lesson in told for text in lesson)


def test_the_autoencoder_comes_back_at_the_psnr_of_its_card():
    model = autoencoder.load(str(bases.FOLDERS["vae"]))
    rgb = np.stack([pretrain_vae.picture(0, "examine/vae", i) for i in range(16)])
    error = (model.roundtrip(rgb).astype(float) - rgb) ** 2
    assert 10 * np.log10(255**2 / error.mean()) == pytest.approx(card("vae")["psnr"], abs=0.5)


def test_the_expert_reads_camera_settings_from_its_class_token():
    features = backbone.load(str(bases.FOLDERS["expert"]))
    fresh = pretrain_expert.batch(0, 10**6)
    with torch.inference_mode():
        tokens = features.model.forward_head(features.model.forward_features(fresh["x"]), pre_logits=True)
    noise = fresh["y"][:, list(pretrain_expert.RANGES).index("noise")]
    fit = torch.linalg.lstsq(torch.cat([tokens[:48], torch.ones(48, 1)], 1), noise[:48, None], driver="gelsd").solution
    guess = torch.cat([tokens[48:], torch.ones(16, 1)], 1) @ fit
    assert np.corrcoef(guess[:, 0], noise[48:])[0, 1] > 0.5
