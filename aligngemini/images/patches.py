"""An autoencoder on patches of 8 x 8 px: decoders of three kinds, latents free or quantised; and super-resolution."""

from types import SimpleNamespace

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import nn

PATCH = 8
QUIET = 6.0  # a drawn latent starts with a log variance of about -6, so that training starts from what it can see


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """Float [N, 3, H, W] in [-1, 1] to latents [N, latent_channels, H / 8, W / 8] and back; H, W multiples of 8.

    What the decoder adds to a linear sketch of each patch comes by `decoder`: "shuffle" (pixel shuffle), "transposed"
    (three transposed convolutions of stride 2) or "nearest" (three times nearest upsampling and a convolution).
    levels: 0 for free latents, else each latent channel is rounded to that many values (product quantisation with
    a fixed codebook, as finite scalar quantisation does: arXiv 2309.15505). drawn: whether latents have a variance.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 24,
        width: int = 64,
        depth: int = 3,
        decoder: str = "shuffle",
        levels: int = 0,
        drawn: bool = False,
    ):
        super().__init__()
        self.look = nn.Conv2d(3, width, PATCH, PATCH)
        self.enter = nn.Conv2d(3, latent_channels, PATCH, PATCH)
        self.before = _blocks(width, depth)
        self.narrow = nn.Conv2d(width, latent_channels, 1)
        self.spread = nn.Conv2d(width, latent_channels, 1) if drawn else None
        self.widen = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.after = _blocks(width, depth)
        self.leave = nn.Conv2d(latent_channels, 3 * PATCH**2, 1)
        self.detail = DECODERS[decoder](width)

    def encode(self, x: torch.Tensor) -> SimpleNamespace:
        """`latent_dist`, a Gaussian as an AutoencoderKL gives it; of no variance unless `drawn`."""
        seen = self.before(self.look(x))
        z = self.enter(x) + self.narrow(seen)
        z = self._quantised(z) if self.config.levels else z
        variance = self.spread(seen) - QUIET if self.spread else torch.zeros_like(z)
        gaussian = DiagonalGaussianDistribution(torch.cat([z, variance], 1), deterministic=self.spread is None)
        return SimpleNamespace(latent_dist=gaussian)

    def decode(self, z: torch.Tensor) -> SimpleNamespace:
        """`sample` [N, 3, H, W]."""
        coarse = nn.functional.pixel_shuffle(self.leave(z), PATCH)
        return SimpleNamespace(sample=coarse + self.detail(self.after(self.widen(z))))

    def _quantised(self, z: torch.Tensor) -> torch.Tensor:
        """Each value at the nearest of `levels` steps in (-1, 1); gradients pass straight through the rounding."""
        half = (self.config.levels - 1) / 2
        bounded = half * torch.tanh(z)
        return (bounded + (bounded.round() - bounded).detach()) / half


class Upscaler(ModelMixin, ConfigMixin):
    """Super-resolution as a last component: float [N, 3, H, W] in [-1, 1] is halved by area, and made large again;
    H, W even.
    """

    @register_to_config
    def __init__(self, width: int = 24, depth: int = 2):
        super().__init__()
        self.enter, self.body = nn.Conv2d(3, width, 3, padding=1), _blocks(width, depth)
        self.leave = nn.Sequential(nn.Conv2d(width, 12, 3, padding=1), nn.PixelShuffle(2))

    def encode(self, x: torch.Tensor) -> SimpleNamespace:
        """`latent_dist` of no variance, whose mean is the small picture [N, 3, H / 2, W / 2]."""
        small = nn.functional.avg_pool2d(x, 2)
        latents = torch.cat([small, torch.zeros_like(small)], 1)
        return SimpleNamespace(latent_dist=DiagonalGaussianDistribution(latents, deterministic=True))

    def decode(self, z: torch.Tensor) -> SimpleNamespace:
        """`sample` [N, 3, H, W]: bilinear interpolation, and what the network adds to it."""
        large = nn.functional.interpolate(z, scale_factor=2, mode="bilinear")
        return SimpleNamespace(sample=large + self.leave(self.body(self.enter(z))))


def _blocks(width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width) for _ in range(depth)))


def _in_steps(width: int, doubled) -> nn.Sequential:
    """Three doublings with an activation after each, and a last convolution to colours."""
    widths = (width, width // 2, width // 4, width // 4)
    layers = [layer for a, b in zip(widths, widths[1:], strict=False) for layer in (*doubled(a, b), nn.SiLU())]
    return nn.Sequential(*layers, nn.Conv2d(width // 4, 3, 3, padding=1))


class _Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


DECODERS = {
    "shuffle": lambda width: nn.Sequential(nn.Conv2d(width, 3 * PATCH**2, 3, padding=1), nn.PixelShuffle(PATCH)),
    "transposed": lambda width: _in_steps(width, lambda a, b: [nn.ConvTranspose2d(a, b, 4, 2, 1)]),
    "nearest": lambda width: _in_steps(width, lambda a, b: [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, 1, 1)]),
}
