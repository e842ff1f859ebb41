"""Weights of autoencoders: every kind loads from a folder, anything else is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aligngemini.core.params import Refused
from aligngemini.images import autoencoder, weights


def test_a_folder_and_its_subfolder_vae_are_the_same_model(kl_folder, picture):
    one, other = autoencoder.load(str(kl_folder)), autoencoder.load(str(kl_folder / "vae"))
    rgb = picture(24, 16)[None]
    assert (one.roundtrip(rgb) == other.roundtrip(rgb)).all() and one.factor == 8


FOUR = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}


NARROW = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 2}


NARROW_SIDES = {"down_block_out_channels": (8, 8, 8, 8), "up_block_out_channels": (8, 8, 8, 8), "norm_num_groups": 2}


SIX = {"block_out_channels": (8,) * 6, "layers_per_block": (1,) * 6}


DEEP = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in SIX.items()}


UNQUANTISED = {"use_quant_conv": False, "use_post_quant_conv": False, "mid_block_add_attention": False}


TINY_MODELS = {
    "AutoencoderKL": FOUR | NARROW | UNQUANTISED | {"latent_channels": 16, "shift_factor": 0.1},  # as FLUX.1 has it
    "AutoencoderKLFlux2": FOUR | NARROW | {"latent_channels": 32},
    "AutoencoderKLHunyuanImage": {
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": (32, 32, 32, 64),
        "layers_per_block": 1, "spatial_compression_ratio": 8, "sample_size": 32,
    },
    "AsymmetricAutoencoderKL": FOUR | NARROW_SIDES,
    "AutoencoderDC": DEEP | {"latent_channels": 4},
    "AutoencoderTiny": {},
    "VQModel": FOUR | NARROW,
}  # fmt: skip


@pytest.mark.parametrize("kind", TINY_MODELS)
def test_every_kind_of_diffusers_autoencoder_goes_there_and_back(kind, picture, tmp_path):
    import diffusers

    torch.manual_seed(0)
    getattr(diffusers, kind)(**TINY_MODELS[kind]).save_pretrained(tmp_path / "vae")
    mean, drawn = autoencoder.load(str(tmp_path)), autoencoder.load(str(tmp_path), sample=True)
    rgb = picture(40, 24)[None]
    out = mean.roundtrip(rgb)
    assert out.shape == rgb.shape and out.dtype == np.uint8 and (out != rgb).any()
    assert mean.factor == (32 if kind == "AutoencoderDC" else 8)
    has_variance = "KL" in kind
    assert (drawn.roundtrip(rgb) != out).any() == has_variance


def test_weights_are_not_trained(taef2_folder, monkeypatch):
    opened, load = [], weights.opened
    monkeypatch.setattr(weights, "opened", lambda *options: opened.append(load(*options)) or opened[-1])
    autoencoder.load(str(taef2_folder))
    trained = [weight.requires_grad for weight in opened[0].parameters()]
    assert trained and not any(trained)


def test_missing_folder_is_refused():
    with pytest.raises(Refused, match="data/mini/nothing"):
        autoencoder.load("data/mini/nothing")


def test_folder_without_autoencoder_is_refused(tmp_path):
    with pytest.raises(Refused, match="holds no autoencoder"):
        autoencoder.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    with pytest.raises(Refused, match="UNet2DConditionModel, not AutoencoderKL or .*; point vae at"):
        autoencoder.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    with pytest.raises(Refused, match="cannot be loaded"):
        autoencoder.load(str(tmp_path))


def test_only_safetensors_are_opened(kl_folder, tmp_path):
    (tmp_path / "config.json").write_text((kl_folder / "vae" / "config.json").read_text())
    torch.save({}, tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(Refused, match="cannot be loaded"):
        autoencoder.load(str(tmp_path))


def test_incomplete_weights_are_refused(kl_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_text((kl_folder / "vae" / "config.json").read_text())
    weights = load_file(kl_folder / "vae" / "diffusion_pytorch_model.safetensors")
    weights.pop("decoder.conv_out.weight")
    save_file(weights, tmp_path / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    with pytest.raises(Refused):
        autoencoder.load(str(tmp_path))


def test_taef2_refuses_foreign_weights(taef2_folder, tmp_path):
    for file in weights.FILES:
        state = torch.load(taef2_folder / file, weights_only=True)
        state["extra"] = torch.zeros(1)
        torch.save(state, tmp_path / file)
    with pytest.raises(Refused, match="TAEF2"):
        autoencoder.load(str(tmp_path))


def test_taef2_rebuilds_kodak_photographs():
    real = os.environ.get("ALIGNGEMINI_REAL")
    if not real:
        pytest.skip("ALIGNGEMINI_REAL is not set: no real photographs and weights here")
    model = autoencoder.load(str(Path(real) / "vae" / "taef2"))
    ratios = []
    for path in sorted((Path(real) / "photos" / "kodak").glob("*"))[::4]:
        rgb = np.asarray(Image.open(path).convert("RGB"))[:256, :384]
        error = np.mean((model.roundtrip(rgb[None])[0].astype(float) - rgb) ** 2)
        ratios.append(10 * np.log10(255**2 / error))
    assert np.mean(ratios) >= 27 and min(ratios) >= 24, ratios
