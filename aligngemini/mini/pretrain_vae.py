"""How the small autoencoder is made: a diffusers `AutoencoderKL` of 8x compression, trained on camera pictures."""

from pathlib import Path

import numpy as np
import torch

from ..workbook.seeds import generator
from . import world
from .camera import photograph
from .loop import fit

BATCH, CROP = 8, 64
SHAPE = dict(
    block_out_channels=(16, 24, 32, 48),
    layers_per_block=1,
    latent_channels=16,
    norm_num_groups=8,
    sample_size=112,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    mid_block_add_attention=False,
)


def picture(seed: int, split: str, index: int) -> np.ndarray:
    """A camera picture before JPEG, plausible or not: an autoencoder sees everything."""
    rng = generator("vae", seed, split, index)
    return photograph(world.draw(seed, split, index, bool(index % 2)).rgb, rng)[0]


def crops(seed: int, step: int) -> dict[str, torch.Tensor]:
    """Two random crops of each picture, float32 [BATCH, 3, CROP, CROP] in [-1, 1]."""
    rng = generator("crops", seed, step)
    cut = []
    for i in range(BATCH // 2):
        rgb = picture(seed, "pretrain/vae", step * BATCH // 2 + i)
        for top, left in rng.integers(0, rgb.shape[0] - CROP + 1, (2, 2)):
            cut.append(rgb[top : top + CROP, left : left + CROP])
    return {"x": torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 127.5 - 1}


def loss(model, batch: dict) -> torch.Tensor:
    """L1 plus squared error plus a light KL term (weight 1e-6, as latent diffusion uses)."""
    posterior = model.encode(batch["x"]).latent_dist
    error = model.decode(posterior.sample()).sample - batch["x"]
    return error.abs().mean() + 2 * error.square().mean() + 1e-6 * posterior.kl().mean()


def pretrain(out: Path, work: Path, steps: int, seed: int = 0, rate: float = 2e-3) -> dict:
    """Make the autoencoder in `out` (diffusers format); returns its card with the PSNR of its round trip in dB."""
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    model = AutoencoderKL(**SHAPE)
    log = fit(model, lambda step: crops(seed, step), loss, steps, rate, work)
    model.cpu().save_pretrained(out)
    return {
        "told": "camera pictures of the small world",
        "steps": steps,
        "log": log,
        "psnr": psnr(model, seed),
    }


@torch.inference_mode()
def psnr(model, seed: int, count: int = 32) -> float:
    """Peak signal-to-noise ratio (dB, of 255) of the round trip through the mean latent, on pictures of a split of
    its own.
    """
    model.eval()
    rgb = np.stack([picture(seed, "examine/vae", i) for i in range(count)])
    x = torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
    back = model.decode(model.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    return round(float(10 * torch.log10(4 / (back - x).square().mean())), 2)
