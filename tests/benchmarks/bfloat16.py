"""bfloat16 on the CPU against float32, by processor time of one thread.

`python tests/benchmarks/bfloat16.py` prints images per second of both number formats in one run, forward and update,
and their ratio, for the mini expert and for other backbones with random weights within autocast.

`python tests/benchmarks/bfloat16.py products` prints milliseconds of a linear layer of Qwen2.5-VL-3B, frozen, forward
and back, for as many tokens as a generated one in a batch of four, an answer and an image with its question: weights in
float32, in bfloat16 by torch, and in bfloat16 as models are loaded here. Each figure is the best of several tries.
"""

import sys
import time

import torch
from torch import nn

from aligngemini.core import bfloat16_linear, devices
from aligngemini.expert import architectures, backbone

TRIES = 5
OTHERS = {
    "ViT-S/14 224 px": ("vit_small_patch14_dinov2", {"img_size": 224}),
    "ConvNeXt-T 224 px": ("convnext_tiny", {}),
    "EfficientNet-Lite0 224 px": ("tf_efficientnet_lite0", {}),
}

TOKENS, LAYER = (4, 80, 340), (2048, 11008)  # the first matrix of its feed-forward part


def rate(model: torch.nn.Module, images: torch.Tensor, narrow: bool, update: bool) -> float:
    """Images per second of processor time."""
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        with torch.set_grad_enabled(update), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            features = model.forward_features(images)
        if update:
            features.float().square().mean().backward()
        best = min(best, time.process_time() - began)
    return len(images) / best


def compare(title: str, model: torch.nn.Module, count: int, side: int) -> None:
    images = torch.randn(count, 3, side, side)
    for what, update in (("forward", False), ("update", True)):
        wide, narrow = (rate(model, images, each, update) for each in (False, True))
        print(f"{title}, {what}: {wide:.1f} and {narrow:.1f} images a second, {narrow / wide:.2f} times", flush=True)


def milliseconds(layer: nn.Linear, tokens: int, back: bool) -> float:
    """Processor time of the layer for so many tokens, to its result or also back to its input."""
    x = torch.randn(tokens, layer.in_features, dtype=layer.weight.dtype, requires_grad=back)
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        y = layer(x)
        if back:
            y.backward(y.detach())
        best = min(best, time.process_time() - began)
    return 1000 * best


def products() -> None:
    """Print times of a linear layer in three ways, each as a part of the first."""
    wide = nn.Linear(*LAYER, bias=False).requires_grad_(False)
    narrow, ours = (nn.Linear(*LAYER, bias=False, dtype=torch.bfloat16).requires_grad_(False) for _ in range(2))
    bfloat16_linear.make(nn.Sequential(ours))
    devices.tune_allocator(wide)
    print(f"this processor imitates bfloat16: {devices.imitates_bfloat16()}")
    for tokens in TOKENS:
        for what, back in (("forward", False), ("forward and back", True)):
            first, *others = (milliseconds(layer, tokens, back) for layer in (wide, narrow, ours))
            ratios = " and ".join(f"{each:.1f} ms, {first / each:.2f} times as fast" for each in others)
            print(f"{tokens} tokens, {what}: {first:.1f} ms; in bfloat16 {ratios}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:] == ["products"]:
        sys.exit(products())
    compare("mini expert 112 px", backbone.load("data/mini/expert").model.eval(), 64, 112)
    for title, (name, changes) in OTHERS.items():
        compare(title, architectures.build(name, **changes).eval(), 8, 224)
