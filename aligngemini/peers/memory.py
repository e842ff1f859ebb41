"""MIRROR's memory (arXiv 2602.02222): prototypes of real images' patch features, and what they cannot explain."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from aligngemini.core.progress import progress

STEPS, BATCH, RATE = 300, 1024, 1e-3  # phase 1; not stated by the authors, ours
ORTHOGONAL = 1e-3  # lambda, the weight of |M M' - I|; not stated in the README, ours


class Memory(nn.Module):
    """Prototypes, the parameter `slots` [K, d]; each of `heads` parts of a feature looks at the `top` nearest of its
    own."""

    def __init__(self, slots: torch.Tensor, heads: int, top: int) -> None:
        super().__init__()
        self.slots, self.heads, self.top = nn.Parameter(slots), heads, min(top, len(slots))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction [..., d] of features [..., d], and attention [..., heads, top], from large to small."""
        slots = self.slots.unflatten(1, (self.heads, -1))
        query = features.unflatten(-1, (self.heads, -1))
        match = torch.einsum("...he,khe->...hk", query, slots) / slots.shape[-1] ** 0.5
        best, place = match.topk(self.top)
        attention = best.softmax(-1)
        sparse = torch.zeros_like(match).scatter(-1, place, attention)
        return torch.einsum("...hk,khe->...he", sparse, slots).flatten(-2), attention


def learn(features: np.ndarray, slots: int, heads: int, top: int, seed: int) -> Memory:
    """Phase 1: a memory that reconstructs features [n, d] of real images; it starts from `slots` of them, all of them
    if there are fewer. Draws depend on `seed` alone.
    """
    values = torch.from_numpy(features).float()
    draw = torch.Generator().manual_seed(seed)
    memory = Memory(values[torch.randperm(len(values), generator=draw)[:slots]].clone(), heads, top)
    optim = torch.optim.Adam(memory.parameters(), lr=RATE)
    for _ in progress(range(STEPS), "learning the memory"):
        batch = values[torch.randint(len(values), (min(BATCH, len(values)),), generator=draw)]
        optim.zero_grad()
        (functional.mse_loss(memory(batch)[0], batch) + ORTHOGONAL * _overlap(memory.slots)).backward()
        optim.step()
    return memory.requires_grad_(False)


def _overlap(slots: torch.Tensor) -> torch.Tensor:
    """Mean squared entry of M M' - I of prototypes brought to unit length."""
    unit = functional.normalize(slots, dim=1)
    return (unit @ unit.T - torch.eye(len(unit))).square().mean()


def evidence(memory: Memory, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of patch features [n, p, d]: the mean residual [n, d], and perplexity [n, 2], the means of the largest attention
    weight and of the attention's entropy in nats.
    """
    again, attention = memory(patches)
    entropy = -(attention * attention.clamp_min(1e-12).log()).sum(-1)
    sure = torch.stack([attention[..., 0].mean((1, 2)), entropy.mean((1, 2))], 1)
    return (patches - again).mean(1), sure
