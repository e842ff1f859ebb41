"""The patch embedding of Qwen's vision towers on the CPU: a matrix product against torch's convolution, in one run.

`python tests/benchmarks/patch_embedding.py` prints seconds of processor time for the patches of a batch, by one thread:
the mini VLM's (64 images of 112 px) and the 7B model's (one of 518 x 518 px). Each is the best of several tries.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from aligngemini.vlm.patch_embedding import PatchEmbedding

TRIES = 5
SIZES = {"mini VLM": (64 * 64, 128), "7B": (37 * 37, 1280)}  # patches, width


def seconds(call: Callable, patches: torch.Tensor) -> float:
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        call(patches)
        best = min(best, time.process_time() - began)
    return best


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    for name, (count, width) in SIZES.items():
        layer = PatchEmbedding(3, width, (2, 14, 14), (2, 14, 14), bias=False)
        patches = torch.randn(count, 3, 2, 14, 14)
        plain, ours = seconds(partial(nn.Conv3d.forward, layer), patches), seconds(layer, patches)
        print(f"{name}: {plain:.3f} and {ours:.3f} s, {plain / ours:.1f} times")
