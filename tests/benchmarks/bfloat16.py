"""Backbones on the CPU: bfloat16 autocast against float32, forward and update, by processor time of one thread.

`python tests/benchmarks/bfloat16.py` prints images per second of both number formats in one run, and their ratio, for
the mini expert and for other backbones with random weights. Each figure is the best of several tries.
"""

import time

import torch

from aligngemini.expert import architectures, backbone

TRIES = 5
OTHERS = {
    "ViT-S/14 224 px": ("vit_small_patch14_dinov2", {"img_size": 224}),
    "ConvNeXt-T 224 px": ("convnext_tiny", {}),
    "EfficientNet-Lite0 224 px": ("tf_efficientnet_lite0", {}),
}


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


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare("mini expert 112 px", backbone.load("data/mini/expert").model.eval(), 64, 112)
    for title, (name, changes) in OTHERS.items():
        compare(title, architectures.build(name, **changes).eval(), 8, 224)
