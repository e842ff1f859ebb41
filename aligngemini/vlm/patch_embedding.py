"""The first layer of a vision tower that sees patches in three dimensions, as one matrix product."""

import torch
from torch import nn
from torch.nn import functional


class PatchEmbedding(nn.Conv3d):
    """A convolution that is given whole patches: [n, c, t, h, w] with t, h, w of its kernel, to [n, d, 1, 1, 1].

    It is a product of two matrices, which a CPU computes several times faster than torch's convolution
    (tests/benchmarks/patch_embedding.py). Other inputs are convolved as ever.
    """

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        if patches.shape[2:] != self.kernel_size:
            return super().forward(patches)
        return functional.linear(patches.flatten(1), self.weight.flatten(1), self.bias)[..., None, None, None]


def make(model: nn.Module) -> None:
    """Let every three-dimensional convolution of `model` be a PatchEmbedding; weights and names stay as they are."""
    for module in model.modules():
        if type(module) is nn.Conv3d and (module.padding, module.groups) == ((0, 0, 0), 1):
            module.__class__ = PatchEmbedding
