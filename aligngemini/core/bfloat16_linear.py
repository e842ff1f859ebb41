"""Linear layers in bfloat16 on a processor that has no instructions for that format.

There torch imitates the format, and a product of two matrices takes four to five times as long as in float32
(tests/benchmarks/bfloat16.py). Here the weights stay as they are, and are widened from bfloat16 to float32 block by
block for a product, which is rounded to bfloat16 at its end. That is what such instructions compute as well: they add
up in float32, and only the order of the sum differs.
"""

import torch
from torch import nn
from torch.nn import functional

from . import devices

BLOCK = 2**20  # weights that are widened at once: 4 MB, which stay in a cache, and whose memory is kept
FEW = 16  # rows; for fewer, reading the weights takes longer than computing, and torch is as fast


class Bfloat16Linear(nn.Linear):
    """A linear layer that computes products in bfloat16 with frozen weights in float32, from [..., m] to bfloat16
    [..., n]; with weights in float32 it does so within autocast.

    Few rows, other formats, weights that train and other devices are left to torch.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cast = torch.is_autocast_enabled(x.device.type)
        narrow = cast or x.dtype == self.weight.dtype == torch.bfloat16
        trains = self.weight.requires_grad and torch.is_grad_enabled()
        if trains or not narrow or x.device.type != "cpu" or x.shape[:-1].numel() < FEW:
            return super().forward(x)
        return _Product.apply(x.bfloat16(), self.weight, self.bias)


class _Product(torch.autograd.Function):
    """x W' + b of bfloat16 [..., m]. Of the weights, which are frozen, no wider form is kept for the way back."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(weight)
        wide, blocks = x.float(), _blocks(weight)
        biases = [None] * len(blocks) if bias is None else _widened(bias).split(len(blocks[0]))
        with torch.autocast("cpu", enabled=False):
            parts = [functional.linear(wide, _widened(block), b) for block, b in zip(blocks, biases, strict=True)]
        return torch.cat([part.bfloat16() for part in parts], -1)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        blocks = _blocks(weight)
        total = gradient.new_zeros(*gradient.shape[:-1], weight.shape[1], dtype=torch.float32)
        with torch.autocast("cpu", enabled=False):
            for part, block in zip(gradient.split(len(blocks[0]), -1), blocks, strict=True):
                total += part.float() @ _widened(block)
        return total.bfloat16(), None, None


def _blocks(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return weight.split(max(1, BLOCK // weight.shape[1]))


def _widened(values: torch.Tensor) -> torch.Tensor:
    """The values, rounded to bfloat16, in float32."""
    return values.bfloat16().float()


def make(model: nn.Module) -> None:
    """Let every linear layer of `model` be a Bfloat16Linear if this processor computes and imitates bfloat16; weights
    and names stay as they are.
    """
    if devices.best() != "cpu" or not devices.imitates_bfloat16():
        return
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = Bfloat16Linear
