"""Changes of training pairs: those that all views go through alike, so that no camera's or messenger's habit is a cue,
and those that bring a fake nearer to its photograph.
"""

import math
from collections.abc import Callable, Sequence

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
    return (images + noise).clip(0, 255).astype(np.uint8)


def _pepper(images: np.ndarray, sampled: Sample, rng: np.random.Generator) -> np.ndarray:
    return images * (rng.random(images.shape[1:3], dtype=np.float32) >= sampled.pepper)[..., None]


def _each(change: Callable[[Image.Image, Sample], Image.Image]) -> Callable[..., np.ndarray]:
    """A change of one Pillow image as a change of a stack."""
    return lambda images, sampled, rng: np.stack([np.asarray(change(Image.fromarray(rgb), sampled)) for rgb in images])


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


def _line(side: int, angle: float) -> ImageFilter.Kernel:
    """A stroke through the middle, as wide as the kernel."""
    steps, weights = np.arange(side) - side // 2, np.zeros((side, side))
    rows, columns = (side // 2 + np.rint(steps * share(angle)).astype(int) for share in (math.sin, math.cos))
    weights[rows, columns] = 1
    return ImageFilter.Kernel((side, side), weights.ravel().tolist(), scale=weights.sum())


BLURS = {
    "gaussian": lambda sampled: ImageFilter.GaussianBlur(sampled.blur),
    "gaussian 3": lambda sampled: _bell(3, sampled.sigma),
    "gaussian 5": lambda sampled: _bell(5, sampled.sigma),
    "median 3": lambda sampled: ImageFilter.MedianFilter(3),
    "motion 5": lambda sampled: _line(5, sampled.angle),
}
# Each is called as its value in Sample, and maps (images uint8 [n, S, S, 3], Sample, generator) to images.
CHANGES = {
    "jpeg": lambda images, sampled, rng: np.stack([degrade.compress(rgb, sampled.jpeg) for rgb in images]),
    "flip": lambda images, sampled, rng: images[:, :, ::-1],
    "upend": lambda images, sampled, rng: images[:, ::-1],
    "noise": _noise,
    "pepper": _pepper,
    "blur": _each(lambda image, sampled: image.filter(BLURS[sampled.kind](sampled))),
    "sharpen": _each(_sharpen),
    "colour": _each(_colour),
    "grey": _each(lambda image, sampled: image.convert("L").convert("RGB")),
}
