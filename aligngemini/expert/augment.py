"""Changes that all views of a pair go through alike, so that a camera's or a messenger's habits are no cue."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from aligngemini.images import degrade

from .params import ExpertParams

JPEG = (55, 100)  # quality; this range and those below are those of DDA's training code unless called ours
SOFT = (0.3, 0.9)  # px, sigma of "gaussian", ours: DDA's kernels are a fixed 3 or 5 px wide
SIGMA = (0.1, 2.0)  # px, sigma inside those kernels
PEPPER = (0.01, 0.1)  # share of pixels that turn black
SHARPEN = (1.0, 3.0)  # how much of what a blur takes away is added
SHARPEN_SIGMA = 3  # px, of that blur
JITTER = (0.4, 0.4, 0.4)  # brightness, contrast, saturation: factors within 1 +- this
HUE = 0.175  # of the whole circle, either way


@dataclass(frozen=True)
class Changes:
    """What one pair goes through; 0, "" or False where a change was not sampled."""

    jpeg: int = 0  # quality
    noise: float = 0.0  # standard deviation, of 255
    blur: float = 0.0  # px, sigma of "gaussian"; the other kinds only ask whether it is there
    flip: bool = False  # left and right
    upend: bool = False  # top and bottom
    kind: str = "gaussian"
    sigma: float = 1.0
    angle: float = 0.0  # of motion, radians
    pepper: float = 0.0
    sharpen: float = 0.0
    colour: tuple[float, ...] = ()  # factors of brightness, contrast and saturation, then the turn of the hue
    grey: bool = False


def sample(cfg: ExpertParams, rng: np.random.Generator) -> Changes:
    """Sample each change with its probability, a parameter of notebook 03.

    The order of draws is part of what a seed means: new ones stand at the end.
    """
    jpeg = int(rng.integers(JPEG[0], JPEG[1] + 1)) if rng.random() < cfg.jpeg_probability else 0
    noise = float(rng.uniform(*cfg.noise_sigma)) if rng.random() < cfg.noise_probability else 0.0
    blur = float(rng.uniform(*SOFT)) if rng.random() < cfg.blur_probability else 0.0
    flip, upend = (bool(rng.random() < 0.5) for _ in range(2))
    kind, sigma, angle = str(rng.choice(cfg.blurs)), float(rng.uniform(*SIGMA)), float(rng.uniform(0, math.pi))
    pepper = float(rng.uniform(*PEPPER)) if rng.random() < cfg.pepper_probability else 0.0
    sharpen = float(rng.uniform(*SHARPEN)) if rng.random() < cfg.sharpen_probability else 0.0
    factors = (*(float(rng.uniform(1 - most, 1 + most)) for most in JITTER), float(rng.uniform(-HUE, HUE)))
    colour = factors if rng.random() < cfg.colour_probability else ()
    grey = bool(rng.random() < cfg.grey_probability)
    return Changes(jpeg, noise, blur, flip, upend, kind, sigma, angle, pepper, sharpen, colour, grey)


def apply(pictures: np.ndarray, sampled: Changes, chain: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """uint8 [n, S, S, 3] after the changes named by `chain` (keys of CHANGES) that were sampled, in that order.

    Fields of noise come from `rng`, one for all pictures.
    """
    for name in chain:
        if getattr(sampled, name):
            pictures = CHANGES[name](pictures, sampled, rng)
    return pictures


def _noise(pictures: np.ndarray, sampled: Changes, rng: np.random.Generator) -> np.ndarray:
    grain = rng.standard_normal(pictures.shape[1:], dtype=np.float32) * sampled.noise
    return (pictures + grain).clip(0, 255).astype(np.uint8)


def _pepper(pictures: np.ndarray, sampled: Changes, rng: np.random.Generator) -> np.ndarray:
    return pictures * (rng.random(pictures.shape[1:3], dtype=np.float32) >= sampled.pepper)[..., None]


def _sharpen(pictures: np.ndarray, sampled: Changes, rng) -> np.ndarray:
    mask = ImageFilter.UnsharpMask(SHARPEN_SIGMA, round(100 * sampled.sharpen), threshold=0)
    return _each(pictures, lambda image: image.filter(mask))


def _each(pictures: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(rgb))) for rgb in pictures])


def _jitter(image: Image.Image, brightness: float, contrast: float, saturation: float, hue: float) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(brightness)
    image = ImageEnhance.Contrast(image).enhance(contrast)
    image = ImageEnhance.Color(image).enhance(saturation)
    turn, *others = image.convert("HSV").split()
    return Image.merge("HSV", (turn.point(lambda value: (value + round(256 * hue)) % 256), *others)).convert("RGB")


def _bell(side: int, sigma: float) -> ImageFilter.Kernel:
    line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    weights = np.outer(line, line)
    return ImageFilter.Kernel((side, side), (weights / weights.sum()).ravel().tolist(), scale=1)


def _line(side: int, angle: float) -> ImageFilter.Kernel:
    """A stroke through the middle, as wide as the kernel."""
    steps = np.arange(side) - side // 2
    weights = np.zeros((side, side))
    weights[
        side // 2 + np.rint(steps * math.sin(angle)).astype(int),
        side // 2 + np.rint(steps * math.cos(angle)).astype(int),
    ] = 1
    return ImageFilter.Kernel((side, side), weights.ravel().tolist(), scale=weights.sum())


BLURS = {
    "gaussian": lambda sampled: ImageFilter.GaussianBlur(sampled.blur),
    "gaussian 3": lambda sampled: _bell(3, sampled.sigma),
    "gaussian 5": lambda sampled: _bell(5, sampled.sigma),
    "median 3": lambda sampled: ImageFilter.MedianFilter(3),
    "motion 5": lambda sampled: _line(5, sampled.angle),
}
# Each is called as its parameter in Changes, and maps (pictures, Changes, generator) to pictures.
CHANGES = {
    "jpeg": lambda pictures, sampled, rng: np.stack([degrade.compress(rgb, sampled.jpeg) for rgb in pictures]),
    "flip": lambda pictures, sampled, rng: pictures[:, :, ::-1],
    "upend": lambda pictures, sampled, rng: pictures[:, ::-1],
    "noise": _noise,
    "pepper": _pepper,
    "blur": lambda pictures, sampled, rng: _each(pictures, lambda image: image.filter(BLURS[sampled.kind](sampled))),
    "sharpen": _sharpen,
    "colour": lambda pictures, sampled, rng: _each(pictures, lambda image: _jitter(image, *sampled.colour)),
    "grey": lambda pictures, sampled, rng: _each(pictures, lambda image: image.convert("L").convert("RGB")),
}
