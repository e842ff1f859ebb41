"""Small backbones of the families that the expert can stand on, random, in timm's hub format."""

from pathlib import Path

import timm
import torch
from timm.models import save_for_hf

VIT = {"img_size": 64, "embed_dim": 48, "depth": 2, "num_heads": 2}
FAMILIES = {  # timm's name -> what makes it small
    "vit_small_patch14_reg4_dinov2": VIT | {"img_size": 56},
    "vit_small_patch16_dinov3": VIT,
    "vit_huge_plus_patch16_dinov3": VIT,  # its MLP has a gate
    "vit_base_patch16_siglip_224": VIT,
    "vit_base_patch32_clip_224": VIT,
    "convnext_tiny": {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]},
    "test_efficientnet": {},
}


def folder(home: Path, name: str) -> str:
    """Write the backbone called `name` into a folder of `home`; returns its path."""
    torch.manual_seed(0)
    sizes = FAMILIES[name] | {"num_classes": 0}
    save_for_hf(timm.create_model(name, **sizes), home / name, model_args=sizes, safe_serialization=True)
    return str(home / name)
