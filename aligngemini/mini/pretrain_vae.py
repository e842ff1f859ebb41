"""How the small autoencoders are made, on camera pictures: five families of 8x compression, and super-resolution."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from aligngemini.core.seeds import generator
from aligngemini.images import degrade
from aligngemini.images.patches import PATCH, PatchAutoencoder, Upscaler
from aligngemini.world import world
from aligngemini.world.camera import photograph

from .loop import fit

BATCH, CROP, LATENT = 8, 64, 24
CRITIC = 0.02  # of the critic's opinion beside the reconstruction error (ours: its sharpness shows, the PSNR stays)
# What each family is, and the shape of its `PatchAutoencoder`; the last is an `Upscaler`. The family that trains the
# expert stands first; others are tested on.
FAMILIES = {
    "kl": ("nearest upsampling and convolutions, drawn latents with a KL term", {"decoder": "nearest", "drawn": True}),
    "transposed": ("transposed convolutions", {"decoder": "transposed"}),
    "shuffle": ("pixel shuffle", {"decoder": "shuffle"}),
    "vq": ("pixel shuffle, each latent channel quantised to 8 values", {"decoder": "shuffle", "levels": 8}),
    "adversarial": ("nearest upsampling and convolutions, with an adversarial loss", {"decoder": "nearest"}),
    "superres": ("super-resolution of pictures that were halved by area", {}),
}


def untrained(family: str, seed: int) -> PatchAutoencoder:
    """The model of a family before its first step; an upscaler begins as bilinear interpolation."""
    if family == "superres":
        model = Upscaler()
        _silence(model.leave[0])
        return model
    return begun(PatchAutoencoder(LATENT, **FAMILIES[family][1]), seed)


@torch.no_grad()
def begun(model: PatchAutoencoder, seed: int) -> PatchAutoencoder:
    """Let the linear sketch be the leading principal components of patches, and all else be zero."""
    shown = torch.cat([crops(seed, -1 - i)["x"] for i in range(40)])
    patches = nn.functional.unfold(shown, PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1)
    energy, axes = torch.linalg.eigh(torch.cov(patches.T))
    axes, spread = axes[:, -model.config.latent_channels :], energy[-model.config.latent_channels :].sqrt()
    spread = spread * (2 if model.config.levels else 1)  # tanh is nearly straight up to one half
    inward, middle = (axes / spread).T, patches.mean(0)
    model.enter.weight.copy_(inward.view_as(model.enter.weight))
    model.enter.bias.copy_(-inward @ middle)
    model.leave.weight.copy_((axes * spread)[:, :, None, None])
    model.leave.bias.copy_(middle)
    ends = [module for module in model.detail.modules() if isinstance(module, nn.Conv2d)]
    for layer in (model.narrow, ends[-1]):
        _silence(layer)
    return model


def _silence(layer: nn.Conv2d) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def picture(seed: int, split: str, index: int) -> tuple[np.ndarray, int]:
    """A camera picture before JPEG, plausible or not (an autoencoder sees everything), and its JPEG quality."""
    rng = generator("vae", seed, split, index)
    return photograph(world.draw(seed, split, index, bool(index % 2)).rgb, rng)


def crops(seed: int, step: int) -> dict[str, torch.Tensor]:
    """Four random crops of each picture, float32 [BATCH, 3, CROP, CROP] in [-1, 1]."""
    rng = generator("crops", seed, step)
    cut = []
    for i in range(BATCH // 4):
        rgb, _ = picture(seed, "pretrain/vae", step * BATCH // 4 + i)
        for top, left in rng.integers(0, rgb.shape[0] - CROP + 1, (4, 2)):
            cut.append(rgb[top : top + CROP, left : left + CROP])
    return {"x": tensor(np.stack(cut))}


def tensor(rgb: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] as float32 [N, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1


def loss(model, batch: dict) -> torch.Tensor:
    """L1 plus squared error; for `kl` plus a light KL term (weight 1e-6, as latent diffusion uses)."""
    posterior = model.encode(batch["x"]).latent_dist
    error = model.decode(posterior.sample()).sample - batch["x"]
    light = 0.0 if posterior.deterministic else 1e-6 * posterior.kl().mean()
    return error.abs().mean() + 2 * error.square().mean() + light


class Adversary(nn.Module):
    """An autoencoder and a patch critic (float [N, 3, H, W] to scores [N, 1, h, w], high for what looks original)."""

    def __init__(self, model: nn.Module, width: int = 24):
        super().__init__()
        self.model = model
        layers = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 4, 2, 1)]
        self.critic = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 1, 3, padding=1))

    def loss(self, batch: dict) -> torch.Tensor:
        """Reconstruction error, the hinge loss of the critic, and the autoencoder's wish to please a still critic."""
        x = batch["x"]
        again = self.model.decode(self.model.encode(x).latent_dist.sample()).sample
        error = again - x
        still = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        pleased = -torch.func.functional_call(self.critic, still, (again,)).mean()
        hinge = (1 - self.critic(x)).relu().mean() + (1 + self.critic(again.detach())).relu().mean()
        return error.abs().mean() + 2 * error.square().mean() + CRITIC * pleased + hinge


def pretrain(family: str, out: Path, work: Path, steps: int, seed: int = 0, rate: float = 2e-3) -> dict:
    """Make the autoencoder of a family in `out` (diffusers format); returns its card with its PSNR."""
    torch.manual_seed(seed)
    model = untrained(family, seed)
    trained, measure = (Adversary(model), Adversary.loss) if family == "adversarial" else (model, loss)
    log = fit(trained, partial(crops, seed), measure, steps, rate, work)
    model.cpu().half().save_pretrained(out)
    facts = {"told": f"camera pictures of the small world, to give them back; {FAMILIES[family][0]}", "steps": steps}
    return facts | {"log": log, "psnr": psnr(model.float(), seed)}


@torch.inference_mode()
def psnr(model, seed: int, count: int = 64) -> dict[str, float]:
    """Peak signal-to-noise ratio (dB, of 255) of the round trip through the mean latent, on a split of its own: of
    camera pictures before JPEG, and of camera JPEGs against their reconstructions written at the same quality.
    """
    model.eval()
    shot = [picture(seed, "examine/vae", i) for i in range(count)]
    raw = np.stack([rgb for rgb, _ in shot])
    worn = np.stack([degrade.compress(*one) for one in shot])
    again = np.stack([degrade.compress(rgb, q) for rgb, (_, q) in zip(_roundtrip(model, worn), shot, strict=True)])
    return {"before JPEG": _decibels(raw, _roundtrip(model, raw)), "camera JPEG": _decibels(worn, again)}


def _roundtrip(model, rgb: np.ndarray) -> np.ndarray:
    back = model.decode(model.encode(tensor(rgb)).latent_dist.mean).sample
    return ((back.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def _decibels(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(np.float32) - second) ** 2)
    return round(float(10 * np.log10(255**2 / error)), 2)
