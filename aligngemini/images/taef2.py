"""TAEF2, the tiny autoencoder of FLUX.2's latent space: 8x downsampling, 32 latent channels, images in [0,
1].
"""

from pathlib import Path

import torch
from torch import nn

WIDTH, LATENT = 64, 32
FILES = ("taef2_encoder.pth", "taef2_decoder.pth")


class Block(nn.Module):
    """Three 3 x 3 convolutions with a skip; `pooled` puts a branch with a global norm before them."""

    def __init__(self, pooled: bool = False):
        super().__init__()
        layers = [nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.pool = _pool() if pooled else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


def _pool() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(WIDTH, 4 * WIDTH, 1, bias=False),
        nn.GroupNorm(4, 4 * WIDTH),
        nn.ReLU(),
        nn.Conv2d(4 * WIDTH, WIDTH, 1, bias=False),
    )


class Bounded(nn.Module):
    """Keep latents within (-3, 3)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z / 3) * 3


def _halve() -> nn.Conv2d:
    return nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1, bias=False)


def _double() -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)]


def encoder() -> nn.Sequential:
    """[N, 3, H, W] in [0, 1] to latents [N, 32, H/8, W/8]."""
    blocks = [[_halve(), *(Block(pooled) for _ in range(3))] for pooled in (False, False, True)]
    return nn.Sequential(
        nn.Conv2d(3, WIDTH, 3, padding=1), Block(), *sum(blocks, []), nn.Conv2d(WIDTH, LATENT, 3, padding=1)
    )


def decoder() -> nn.Sequential:
    """Latents [N, 32, h, w] to images [N, 3, 8h, 8w], about [0, 1]."""
    blocks = [[*(Block(pooled) for _ in range(3)), *_double()] for pooled in (True, False, False)]
    return nn.Sequential(
        Bounded(),
        nn.Conv2d(LATENT, WIDTH, 3, padding=1),
        nn.ReLU(),
        *sum(blocks, []),
        Block(),
        nn.Conv2d(WIDTH, 3, 3, padding=1),
    )


def load(folder: Path) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder with a folder's weights, fp32, eval mode; RuntimeError if the keys do not match."""
    parts = (encoder(), decoder())
    for part, file in zip(parts, FILES, strict=True):
        part.load_state_dict(torch.load(folder / file, map_location="cpu", weights_only=True), strict=True)
        part.float().eval().requires_grad_(False)
    return parts
