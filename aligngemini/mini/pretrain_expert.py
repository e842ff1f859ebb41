"""How the small vision backbone is made: self-supervised, it reads off a picture how the camera was set."""

from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from timm.models import save_for_hf

from aligngemini.core.seeds import generator
from aligngemini.images import degrade
from aligngemini.world import world
from aligngemini.world.camera import RANGES, expose, settings

from .bases import EXPERT_NAME, EXPERT_SHAPE, INIT
from .loop import fit

BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what timm's DINOv2 models expect


def sample(seed: int, index: int) -> tuple[np.ndarray, list[float]]:
    """A camera picture (uint8, JPEG decoded) and its settings, each scaled to [-1, 1]; no generator is involved."""
    rng = generator("settings", seed, index)
    values = settings(rng)
    rgb = expose(world.draw(seed, "pretrain/expert", index, False).rgb, values, rng)
    seen = degrade.compress(rgb, round(values["quality"]))
    return seen, [2 * (values[k] - low) / (high - low) - 1 for k, (low, high) in RANGES.items()]


def normalised(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] to the backbone's float32 [N, 3, H, W]."""
    scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)
    return scaled.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])


def batch(seed: int, step: int) -> dict[str, torch.Tensor]:
    """Pictures and settings of one training step."""
    images, values = zip(*(sample(seed, step * BATCH + i) for i in range(BATCH)), strict=True)
    return {"x": normalised(np.stack(images)), "y": torch.tensor(values)}


def pretrain(out: Path, work: Path, steps: int, seed: int = 0, rate: float = 1e-3) -> dict:
    """Make the base in `out` (timm's hub format); returns its card with the share of variance explained per setting."""
    torch.manual_seed(seed)
    backbone = begun(timm.create_model(EXPERT_NAME, **EXPERT_SHAPE), seed)
    module = torch.nn.Sequential(backbone, torch.nn.Linear(EXPERT_SHAPE["embed_dim"], len(RANGES)))
    log = fit(module, partial(batch, seed), _loss, steps, rate, work)
    save_for_hf(module[0].cpu(), out, model_args=EXPERT_SHAPE, safe_serialization=True)
    facts = {"told": "camera settings of camera pictures; no generator, no label", "steps": steps}
    return facts | {"pictures": steps * BATCH, "log": log, "explained": explained(module, seed, steps)}


@torch.no_grad()
def begun(backbone, seed: int):
    """The backbone before its first step: wide weights, and a patch embedding that whitens camera pictures.

    Fine grain is a ten-thousandth of a patch's energy: a random embedding drowns it, a whitening one shows every scale.
    """
    for weight in backbone.blocks.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=INIT)
    size, width = EXPERT_SHAPE["patch_size"], EXPERT_SHAPE["embed_dim"]
    pictures = torch.cat([batch(seed, -1 - i)["x"] for i in range(5)])
    patches = torch.nn.functional.unfold(pictures, size, stride=size).transpose(1, 2).flatten(0, 1)
    energy, axes = torch.linalg.eigh(torch.cov(patches.T))
    chosen = torch.linspace(0, len(energy) - 1, width).round().long()
    rows = 0.3 * (axes[:, chosen] / energy[chosen].clamp_min(1e-6).sqrt()).T
    backbone.patch_embed.proj.weight.copy_(rows.view(width, 3, size, size))
    backbone.patch_embed.proj.bias.zero_()
    return backbone


def _loss(module, batch: dict) -> torch.Tensor:
    return torch.nn.functional.mse_loss(module(batch["x"]), batch["y"])


@torch.inference_mode()
def explained(module, seed: int, steps: int) -> dict[str, float]:
    """R² per camera setting on pictures drawn after the last training step."""
    module.cpu().eval()
    fresh = [batch(seed, steps + i) for i in range(4)]
    guess, truth = torch.cat([module(b["x"]) for b in fresh]), torch.cat([b["y"] for b in fresh])
    share = 1 - ((guess - truth) ** 2).mean(0) / truth.var(0)
    return {name: round(value, 3) for name, value in zip(RANGES, share.tolist(), strict=True)}
