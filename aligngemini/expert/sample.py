"""All that chance decides about one pair in training: where it is cut, what changes it, and how its fake is mixed."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .params import ExpertParams

JPEG = (55, 100)  # quality; this range and those below are those of DDA's training code unless called ours
SOFT = (0.3, 0.9)  # px, sigma of "gaussian", ours: DDA's kernels are a fixed 3 or 5 px wide
SIGMA = (0.1, 2.0)  # px, sigma inside those kernels
PEPPER = (0.01, 0.1)  # share of pixels that turn black
SHARPEN = (1.0, 3.0)  # how much of what a blur takes away is added
JITTER = (0.4, 0.4, 0.4)  # brightness, contrast, saturation: factors within 1 +- this
HUE = 0.175  # of the whole circle, either way
FILTERS = [getattr(Image.Resampling, name) for name in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")]


@dataclass(frozen=True)
class Sample:
    """What one pair goes through; 0, (), "" or False for what does not happen to it."""

    top: float = 0.5  # place of the crop, as a share of the space that it leaves in an image of any size
    left: float = 0.5
    jpeg: int = 0  # quality
    noise: float = 0.0  # standard deviation, of 255
    blur: float = 0.0  # px, sigma of "gaussian"; the other kinds only ask whether it is there
    flip: bool = False  # left and right
    upend: bool = False  # top and bottom
    kind: str = "gaussian"  # of blur
    sigma: float = 1.0
    angle: float = 0.0  # of motion, radians
    pepper: float = 0.0
    sharpen: float = 0.0
    colour: tuple[float, ...] = ()  # factors of brightness, contrast and saturation, then the turn of the hue
    grey: bool = False
    resized: tuple[tuple[float, Image.Resampling], ...] = ()  # factor and filter of each resized view
    compressed: bool = False  # whether the fake is compressed like its photograph
    share: float = 0.0  # of the photograph in the fake, 0 to 1


def sample(config: ExpertParams, rng: np.random.Generator) -> Sample:
    """Sample everything about one pair; the order of the draws is part of what a seed means."""
    top, left = (float(share) for share in rng.random(2))
    changes = _changes(config, rng)
    factors = [float(rng.uniform(*limits)) for limits in (config.downscale, config.upscale)]
    filters = [FILTERS[i] for i in rng.permutation(len(FILTERS))[:2]]
    resized = tuple(zip(factors, filters, strict=True)) if config.resized_views else ()
    compressed = bool(rng.random() < config.align_probability)
    return Sample(top, left, **changes, resized=resized, compressed=compressed, share=_share(config, rng))


def _changes(config: ExpertParams, rng: np.random.Generator) -> dict[str, Any]:
    """The changes that both members of a pair go through, each with its probability; new ones stand at the end."""
    jpeg = int(rng.integers(JPEG[0], JPEG[1] + 1)) if rng.random() < config.jpeg_probability else 0
    noise = float(rng.uniform(*config.noise_sigma)) if rng.random() < config.noise_probability else 0.0
    changes: dict[str, Any] = {"jpeg": jpeg, "noise": noise}
    changes["blur"] = float(rng.uniform(*SOFT)) if rng.random() < config.blur_probability else 0.0
    changes |= {name: bool(rng.random() < 0.5) for name in ("flip", "upend")}
    changes |= {"kind": str(rng.choice(config.blurs)), "sigma": float(rng.uniform(*SIGMA))}
    changes["angle"] = float(rng.uniform(0, math.pi))
    changes["pepper"] = float(rng.uniform(*PEPPER)) if rng.random() < config.pepper_probability else 0.0
    changes["sharpen"] = float(rng.uniform(*SHARPEN)) if rng.random() < config.sharpen_probability else 0.0
    factors = (*(float(rng.uniform(1 - most, 1 + most)) for most in JITTER), float(rng.uniform(-HUE, HUE)))
    changes["colour"] = factors if rng.random() < config.colour_probability else ()
    return changes | {"grey": bool(rng.random() < config.grey_probability)}


def _share(config: ExpertParams, rng: np.random.Generator) -> float:
    """The photograph's share in the fake after a pixel mix and a frequency mix, each with its probability.

    The release mixes all cosine coefficients of an image with one weight. The transform is linear, so mixing pixels
    with this weight is the same, and two mixes in a row are one. The release puts the pixel mix's coefficient on the
    fake, its paper's formula on the photograph: `mode` decides.
    """
    pixel, frequency = (float(rng.uniform(*config.mix_strength)) for _ in range(2))
    fakes = (pixel if config.mode == "faithful" else 1 - pixel, 1 - frequency)
    chances = (config.pixel_mix_probability, config.frequency_mix_probability)
    return 1 - math.prod([fake for fake, chance in zip(fakes, chances, strict=True) if rng.random() < chance])
