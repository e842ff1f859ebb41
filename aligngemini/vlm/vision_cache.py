"""Each image is seen by the vision tower once a step, not once for each answer and each model; batches are checked."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from . import image_size, parts, template


class CachedFeatures:
    """`get_image_features` of a model whose vision is frozen; it remembers the features of the last images.

    A DPO step shows the same images four times: beside the chosen and beside the rejected answer, to the policy and
    to its reference, which share the vision tower. `compute` is the model's own method.
    """

    def __init__(self, compute):
        self.compute, self.__signature__ = compute, inspect.signature(compute)  # generate() reads the names
        self.images: dict[str, torch.Tensor] = {}
        self.features = None

    @torch.no_grad()
    def __call__(self, *args, **options):
        """The features of images; where the second half of all their tensors repeats the first, of only one half."""
        given = dict(zip(self.__signature__.parameters, args, strict=False)) | options
        images = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
        if not _same(images, self.images):
            options = {name: value for name, value in given.items() if name not in images}
            self.images, self.features = images, self._computed(images, options)
        return SimpleNamespace(**self.features)  # a new one each time: callers change it

    def _computed(self, images: dict[str, torch.Tensor], options: dict[str, Any]) -> dict[str, Any]:
        halves = [{name: value.tensor_split(2)[half] for name, value in images.items()} for half in (0, 1)]
        repeats = _same(*halves)
        features = self.compute(**(halves[0] if repeats else images), **options)
        read = {name: value for name in READ if (value := getattr(features, name, None)) is not None}
        return {name: READ[name](value) for name, value in read.items()} if repeats else read


def _same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    if some.keys() != others.keys():
        return False
    return all(value is others[name] or torch.equal(value, others[name]) for name, value in some.items())


def _twice(value):
    """Features for the same images once more: a tensor of all, or one tensor for each."""
    return torch.cat([value, value]) if isinstance(value, torch.Tensor) else value + value


def _layers_twice(layers):
    """`_twice` of each layer, which in transformers 5.17 is a tensor of all."""
    return [_twice(layer) for layer in layers]


# What language models get of the features. In transformers 5.17 SmolVLM's is an attribute and no item of the output.
READ = {"pooler_output": _twice, "deepstack_features": _layers_twice}


def cache_vision_features(model: torch.nn.Module) -> torch.nn.Module:
    """Cache the image features of a model (with or without adapter), and return what owns them: all but its head.

    Raises RuntimeError if anything but the language model trains.
    """
    core = parts.core(model)
    trained = {weight for weight in core.parameters() if weight.requires_grad}
    if model.training and trained - set(core.get_decoder().parameters()):
        raise RuntimeError("The vision tower trains, so its features change and cannot be remembered.")
    core.get_image_features = CachedFeatures(core.get_image_features)
    return core


@contextmanager
def temporary_vision_cache(model: torch.nn.Module) -> Iterator[None]:
    """Cache the vision features inside a `with` block, where nothing may train."""
    if isinstance(parts.core(model).get_image_features, CachedFeatures):
        yield
        return
    core = cache_vision_features(model)
    try:
        yield
    finally:
        del core.get_image_features  # the class has its own


class HalvedProcessor:
    """A processor that prepares each image of a pair once, though TRL gives it twice, for chosen and for rejected."""

    def __init__(self, processor):
        self.processor = processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.processor, name)

    def __call__(self, images: list | None = None, text: list[str] | None = None, **options):
        """As the processor's own; where the second half of images and texts repeats the first, of only one half."""
        half = len(text) // 2
        if not images or (images[:half], text[:half]) != (images[half:], text[half:]):
            return self.processor(images=images, text=text, **options)
        inputs = self.processor(images=images[:half], text=text[:half], **options)
        return inputs.__class__({name: _twice(value) for name, value in inputs.items()})


class CheckedCollator:
    """TRL's collator of preferences with images, which checks every batch."""

    def __init__(self, processor, max_pixels: int):
        from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

        self.processor, self.max_pixels = processor, max_pixels
        self.collate = DataCollatorForVisionPreference(HalvedProcessor(processor))

    def __call__(self, examples: list[dict]) -> dict:
        """A batch for the trainer: rows of all chosen answers, then of all rejected ones."""
        options = {"chat_template_kwargs": template.options(self.processor)}
        batch = self.collate([example | options for example in examples])
        check_images(batch, self.processor, self.max_pixels)
        if not batch["completion_mask"].any(1).all():
            raise RuntimeError("A row of a batch holds no answer to learn from: was it cut off, or is it empty?")
        return batch


def check_images(batch: dict, processor, max_pixels: int) -> None:
    """Raise RuntimeError unless every image of a batch is whole and within `max_pixels` (0: any size).

    For the Qwen family, where an image has one token to a square of 28 x 28 or 32 x 32 pixels, and the prompt must
    hold every one of them; other models compare the numbers themselves, and their processors cut no image larger.
    """
    if "image_grid_thw" not in batch:
        return
    tokens = batch["image_grid_thw"].prod(1) // processor.image_processor.merge_size**2
    most = max_pixels // image_size.unit(processor.image_processor) ** 2
    if max_pixels and int(tokens.max()) > most:
        raise RuntimeError(f"An image has {int(tokens.max())} tokens, more than the {most} that max_pixels allows.")
    held = int((batch["input_ids"] == processor.image_token_id).sum())
    if held != int(tokens.sum()):
        raise RuntimeError(f"The prompts hold {held} image tokens of {int(tokens.sum())}: some were cut off.")
