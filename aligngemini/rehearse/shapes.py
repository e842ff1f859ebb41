"""The three architectures of a scale, built from their configurations with random weights; nothing is downloaded."""

import json
from pathlib import Path

import torch

from ..expert.backbone import HEAD
from ..workbook import paths

MINI = {"vlm": "data/mini/vlm", "expert": "data/mini/expert", "vae": "data/mini/vae/kl"}
# Qwen/Qwen2.5-VL-7B-Instruct, config.json. The ids of special tokens are those of the mini processor, which asks.
TEXT = {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 128000,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    "use_sliding_window": False,
    "tie_word_embeddings": False,
}
VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "num_heads": 16,
    "intermediate_size": 3420,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "spatial_merge_size": 2,
    "tokens_per_second": 2,
}
EXPERT = "vit_large_patch14_dinov2"  # timm's name; its own picture size is 518 px
# stabilityai/stable-diffusion-2-1, vae/config.json
VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 768,
    "force_upcast": False,  # not in that file; diffusers' own default would write it into ours
}


def vlm(scale: str, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """Qwen2.5-VL: 8,292,166,656 weights at paper scale, the shape of data/mini/vlm at any other.

    It is made on `device` and in `dtype` from the start: 7B never pass through the memory of the host.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

    config = AutoConfig.from_pretrained(paths.resolve(MINI["vlm"]))
    if scale == "paper":
        asked = {name: value for name, value in config.to_dict().items() if name.endswith("_token_id")}
        config = type(config)(text_config=TEXT, vision_config=VISION, tie_word_embeddings=False, **asked)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    model.generation_config = GenerationConfig(pad_token_id=0)  # no end: random weights talk to the last token
    return model


def expert(scale: str, device: str) -> torch.nn.Module:
    """A timm backbone with a head of one logit: ViT-L/14 at paper scale, the shape of data/mini/expert at any other."""
    import timm

    with torch.device(device):
        if scale == "paper":
            return timm.create_model(EXPERT, pretrained=False, **HEAD)
        config = _json(MINI["expert"])
        return timm.create_model(config["architecture"], pretrained=False, **config["model_args"] | HEAD)


def vae(scale: str, device: str) -> torch.nn.Module:
    """Stable Diffusion 2.1's autoencoder (83,653,863 weights) at paper scale, that of data/mini/vae/kl at any other."""
    from diffusers import AutoencoderKL

    from ..images.patches import PatchAutoencoder

    with torch.device(device):
        if scale == "paper":
            return AutoencoderKL(**VAE).eval()
        return PatchAutoencoder.from_config(_json(MINI["vae"])).eval()


def weights(model: torch.nn.Module) -> int:
    """How many values a model has, its buffers left out."""
    return sum(weight.numel() for weight in model.parameters())


def _json(folder: str) -> dict:
    return json.loads((Path(paths.resolve(folder)) / "config.json").read_text(encoding="utf-8"))
