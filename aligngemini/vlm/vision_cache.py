"""Each image is seen by the vision tower once a step, not once for each answer and each model; batches are checked."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class CachedVisionTower:
    """The forward pass of a frozen vision tower that remembers the features of the last images.

    A DPO step shows the same images four times: beside the chosen and beside the rejected answer, to the policy and
    to its reference, which share the tower. `compute` is the tower's own forward pass.
    """

    def __init__(self, compute):
        self.compute, self.inputs, self.features = compute, None, None

    @torch.no_grad()
    def __call__(self, pixels: torch.Tensor, grid_thw: torch.Tensor, **options):
        """The tower's output for patches `pixels` [n, d] of images of `grid_thw` [images, 3] patches."""
        inputs = (pixels, grid_thw)
        if self.inputs is None or not all(map(torch.equal, self.inputs, inputs)):
            self.inputs, self.features = inputs, self._compute_half(pixels, grid_thw, options)
        return type(self.features)(**self.features)  # a new one each time: callers change it

    def _compute_half(self, pixels: torch.Tensor, grid_thw: torch.Tensor, options: dict):
        """The features of all images; where the second half repeats the first, only the first is computed."""
        first, second = grid_thw.tensor_split(2)
        patches = int(first.prod(1).sum())
        if not (torch.equal(first, second) and torch.equal(pixels[:patches], pixels[patches:])):
            return self.compute(pixels, grid_thw=grid_thw, **options)
        half = self.compute(pixels[:patches], grid_thw=first, **options)
        return type(half)(**{name: torch.cat([value, value]) for name, value in half.items()})


def cache_vision_features(model: torch.nn.Module) -> torch.nn.Module:
    """Cache the vision features of a Qwen2.5-VL model (with or without adapter), and return its vision tower.

    Raises RuntimeError if the tower trains.
    """
    tower = next(module for name, module in model.named_modules() if name.endswith("visual"))
    if any(weight.requires_grad for weight in tower.parameters()) and model.training:
        raise RuntimeError("The vision tower trains, so its features change and cannot be remembered.")
    tower.forward = CachedVisionTower(tower.forward)
    return tower


@contextmanager
def temporary_vision_cache(model: torch.nn.Module) -> Iterator[None]:
    """Cache the vision features inside a `with` block, where nothing may train."""
    tower = cache_vision_features(model)
    try:
        yield
    finally:
        del tower.forward  # the class has its own


class CheckedCollator:
    """TRL's collator of preferences with images, which checks every batch."""

    def __init__(self, processor, max_pixels: int):
        from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

        self.processor, self.max_pixels = processor, max_pixels
        self.collate = DataCollatorForVisionPreference(processor)

    def __call__(self, examples: list[dict]) -> dict:
        """A batch for the trainer: rows of all chosen answers, then of all rejected ones."""
        batch = self.collate(examples)
        check_images(batch, self.processor, self.max_pixels)
        if not batch["completion_mask"].any(1).all():
            raise RuntimeError("A row of a batch holds no answer to learn from: was it cut off, or is it empty?")
        return batch


def check_images(batch: dict, processor, max_pixels: int) -> None:
    """Raise RuntimeError unless every image of a batch is whole and within `max_pixels` (0: any size).

    An image has one token to 28 x 28 pixels, so at most max_pixels / 784; the prompt must hold every one of them.
    """
    tokens = batch["image_grid_thw"].prod(1) // processor.image_processor.merge_size**2
    most = max_pixels // 784
    if max_pixels and int(tokens.max()) > most:
        raise RuntimeError(f"An image has {int(tokens.max())} tokens, more than the {most} that max_pixels allows.")
    held = int((batch["input_ids"] == processor.image_token_id).sum())
    if held != int(tokens.sum()):
        raise RuntimeError(f"The prompts hold {held} image tokens of {int(tokens.sum())}: some were cut off.")
