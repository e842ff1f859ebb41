"""An autoencoder with a small critic: one module, one loss, so that it trains and resumes like any other."""

import torch
from torch import nn

WEIGHT = 0.02  # of the critic's opinion beside the reconstruction error (ours: its sharpness shows, the PSNR stays)


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
        return error.abs().mean() + 2 * error.square().mean() + WEIGHT * pleased + hinge
