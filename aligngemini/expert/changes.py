"""Changes of training pairs: those that all views go through alike, so that no camera's or messenger's habit is a cue,
and those that bring a fake nearer to its photograph.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from aligngemini.images import degrade

from .sample import Sample

ENHANCED = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
SHARPEN_SIGMA = 3  # px, of the blur that a sharpened image is compared with


def mix(real: np.ndarray, fake: np.ndarray, quality: float, sampled: Sample) -> np.ndarray:
    """The fake, uint8 [H, W, 3] like `real`, compressed at the photograph's quality and mixed with it as sampled.

    A quality of NaN (never compressed) or 100 compresses nothing.
    """
    if sampled.compressed and quality < 100:
        fake = degrade.compress(fake, int(quality))
    if sampled.share:
        fake = (fake + np.float32(sampled.share) * (real.astype(np.float32) - fake) + 0.5).astype(np.uint8)
    return fake


def apply(images: np.ndarray, sampled: Sample, chain: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, S, S, 3] after the changes named by `chain` (keys of CHANGES) that were sampled, in that order.

    Fields of noise come from `rng`, one for all images.
    """
    for name in chain:
        if getattr(sampled, name):
            images = CHANGES[name](images, sampled, rng)
    return images


def _noise(images: np.ndarray, sampled: Sample, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(images.shape[1:], dtype=np.float32) * sampled.noise
    return np.stack([(rgb + noise).clip(0, 255).astype(np.uint8) for rgb in images])  # one by one, they stay in cache


def _pepper(images: np.ndarray, sampled: Sample, rng: np.random.Generator) -> np.ndarray:
    kept = rng.random(images.shape[1:3], dtype=np.float32) >= sampled.pepper
    return images * np.repeat(kept[..., None], 3, axis=2)  # repeated: numpy is slow where the last axis is broadcast


def _each(change: Callable[[Image.Image, Sample], Image.Image]) -> Callable[..., np.ndarray]:
    """A change of one Pillow image as a change of a stack."""
    return lambda images, sampled, rng: np.stack([np.asarray(change(Image.fromarray(rgb), sampled)) for rgb in images])


def median(rgb: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] whose values are the medians of their 3 x 3 neighbours; the edge goes on outside.

    The same as Pillow's MedianFilter(3), several times faster. The median of nine values in three sorted columns is the
    median of three: the largest of the smallest, the median of the middle ones, the smallest of the largest.
    """
    padded = np.pad(rgb, ((1, 1), (1, 1), (0, 0)), mode="edge")
    low, middle, high = (_neighbours(column, 1) for column in _ordered(*_neighbours(padded, 0)))
    return _ordered(_ordered(*low)[2], _ordered(*middle)[1], _ordered(*high)[0])[1]


def _neighbours(values: np.ndarray, axis: int) -> np.ndarray:
    """The values before, at and after each place of an axis but its ends: [3, ...], without a copy."""
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(values, 3, axis), -1, 0)


def _ordered(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> tuple[np.ndarray, ...]:
    """The smallest, the middle and the largest of three arrays, value by value."""
    first, second = np.minimum(first, second), np.maximum(first, second)
    second, third = np.minimum(second, third), np.maximum(second, third)
    return np.minimum(first, second), np.maximum(first, second), third


def _sharpen(image: Image.Image, sampled: Sample) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(SHARPEN_SIGMA, round(100 * sampled.sharpen), threshold=0))


def _colour(image: Image.Image, sampled: Sample) -> Image.Image:
    *factors, turn = sampled.colour
    for enhance, factor in zip(ENHANCED, factors, strict=True):
        image = enhance(image).enhance(factor)
    hue, *others = image.convert("HSV").split()
    turn = round(256 * turn)
    return Image.merge("HSV", (hue.point(lambda value: (value + turn) % 256), *others)).convert("RGB")


def _bell(side: int, sigma: float) -> ImageFilter.Kernel:
    line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    weights = np.outer(line, line)
    return ImageFilter.Kernel((side, side), (weights / weights.sum()).ravel().tolist(), scale=1)


def _filtered(kernel: Callable[[Sample], Any]) -> Callable[[np.ndarray, Sample], np.ndarray]:
    """A filter of Pillow as a change of one image."""
    return lambda rgb, sampled: np.asarray(Image.fromarray(rgb).filter(kernel(sampled)))


def _line(side: int, angle: float) -> ImageFilter.Kernel:
    """A stroke through the middle, as wide as the kernel."""
    steps, weights = np.arange(side) - side // 2, np.zeros((side, side))
    rows, columns = (side // 2 + np.rint(steps * share(angle)).astype(int) for share in (math.sin, math.cos))
    weights[rows, columns] = 1
    return ImageFilter.Kernel((side, side), weights.ravel().tolist(), scale=weights.sum())


BLURS = {
    "gaussian": _filtered(lambda sampled: ImageFilter.GaussianBlur(sampled.blur)),
    "gaussian 3": _filtered(lambda sampled: _bell(3, sampled.sigma)),
    "gaussian 5": _filtered(lambda sampled: _bell(5, sampled.sigma)),
    "median 3": lambda rgb, sampled: median(rgb),
    "motion 5": _filtered(lambda sampled: _line(5, sampled.angle)),
}
# Each is called as its value in Sample, and maps (images uint8 [n, S, S, 3], Sample, generator) to images.
CHANGES = {
    "jpeg": lambda images, sampled, rng: np.stack([degrade.compress(rgb, sampled.jpeg) for rgb in images]),
    "flip": lambda images, sampled, rng: images[:, :, ::-1],
    "upend": lambda images, sampled, rng: images[:, ::-1],
    "noise": _noise,
    "pepper": _pepper,
    "blur": lambda images, sampled, rng: np.stack([BLURS[sampled.kind](rgb, sampled) for rgb in images]),
    "sharpen": _each(_sharpen),
    "colour": _each(_colour),
    "grey": _each(lambda image, sampled: image.convert("L").convert("RGB")),
}
