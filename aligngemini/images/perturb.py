"""What happens to pictures on their way: each perturbation by name and severity, deterministic for a picture.

Severities marked as published are those of the sweeps on GenImage and AIGI-Now by the authors' group; where nothing is
known of a perturbation or of its severities, they are ours. They run from weak to strong.
"""

import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from aligngemini.core import seeds
from aligngemini.core.params import Refused, unknown

from . import degrade

SEED = 42  # as published
SCREEN_QUALITY = 80  # ours: JPEG quality a screenshot is passed on with
PUBLISHED, OURS = "published", "ours"


class Perturbation(NamedTuple):
    """What it does, the unit of its severities, these from weak to strong, whose they are, and the change itself.

    `change` maps (uint8 [H, W, 3], severity, generator) to uint8 [H', W', 3]; `encodes`: it ends in a JPEG.
    """

    text: str
    unit: str
    severities: tuple[float, ...]
    origin: str
    change: Callable
    encodes: bool = False


def apply(name: str, rgb: np.ndarray, severity: float, image_id: str, seed: int = SEED) -> np.ndarray:
    """Perturb uint8 [H, W, 3]; draws depend on (seed, image_id) alone."""
    return PERTURBATIONS[name].change(rgb, severity, seeds.generator("perturb", seed, image_id))


def named(text: str) -> list[str]:
    """The perturbations of a comma-separated list; raises Refused for an unknown one."""
    return choices(text, PERTURBATIONS, "--perturb", "perturbation")


def choices(text: str, valid: Iterable[str], option: str, what: str) -> list[str]:
    """The words of a comma-separated list, each a name of `valid` up to a colon; raises Refused for any other."""
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words:
        if (name := word.partition(":")[0]) not in valid:
            raise unknown(name, list(valid), option, what)
    if not words:
        raise Refused(f"{option} names no {what}: choose of {', '.join(valid)}.")
    return words


def _webp(rgb: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=int(quality))
    return np.asarray(Image.open(file).convert("RGB"))


def _scaled(rgb: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    return degrade.rescale(rgb, scale, "bicubic")  # Pillow's default, as published


def _crop(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A window of `share` of both sides; its place in the room left is the same at every severity."""
    height, width = (max(1, round(side * share)) for side in rgb.shape[:2])
    top, left = (int(at) for at in np.round(rng.random(2) * np.subtract(rgb.shape[:2], (height, width))))
    return rgb[top : top + height, left : left + width].copy()


PERTURBATIONS = {
    "jpeg": Perturbation(
        "saved as JPEG", "quality", (100, 90, 80, 70, 60), PUBLISHED,
        lambda rgb, quality, rng: degrade.compress(rgb, int(quality)), encodes=True,
    ),
    "webp": Perturbation("saved as WebP", "quality", (90, 80, 70, 60, 50), OURS, _webp),
    "blur": Perturbation(
        "Gaussian blur", "sigma, px", (0.5, 1, 1.5, 2), PUBLISHED,
        lambda rgb, sigma, rng: gaussian_filter(rgb, (sigma, sigma, 0)),
    ),
    "noise": Perturbation(
        "Gaussian noise", "standard deviation, of 255", (2, 4, 8, 16), OURS,
        lambda rgb, sigma, rng: degrade.noise(rgb, sigma, int(rng.integers(2**32))),
    ),
    "down": Perturbation("made smaller", "scale", (0.75, 0.5, 0.25), PUBLISHED, _scaled),
    "up": Perturbation("made larger", "scale", (1.25, 1.5, 1.75, 2), PUBLISHED, _scaled),
    "crop": Perturbation("a window of it, placed at random", "share of each side", (0.9, 0.75, 0.5), OURS, _crop),
    "screenshot": Perturbation(
        "shown smaller, captured, saved as JPEG", "scale", (0.9, 0.75, 0.5), OURS,
        lambda rgb, scale, rng: degrade.compress(degrade.rescale(rgb, scale, "bilinear"), SCREEN_QUALITY), encodes=True,
    ),
}  # fmt: skip
