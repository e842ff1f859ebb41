"""What happens to pictures on their way: each perturbation by name and severity, deterministic for a picture.

Severities marked as published are those of the sweeps on GenImage and AIGI-Now by the authors' group; where nothing is
known of a perturbation or of its severities, they are ours. They run from weak to strong.
"""

import io
from collections.abc import Callable
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
    names = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for name in names:
        if name not in PERTURBATIONS:
            raise unknown(name, list(PERTURBATIONS), "--perturb", "perturbation")
    if not names:
        raise Refused(f"--perturb names no perturbation: choose of {', '.join(PERTURBATIONS)}.")
    return names


def _jpeg(rgb: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    return degrade.compress(rgb, int(quality))


def _webp(rgb: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=int(quality))
    return np.asarray(Image.open(file).convert("RGB"))


def _blur(rgb: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return gaussian_filter(rgb, (sigma, sigma, 0))


def _noise(rgb: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return degrade.noise(rgb, sigma, int(rng.integers(2**32)))


def _resize(rgb: np.ndarray, scale: float, rng=None, filter=Image.Resampling.BICUBIC) -> np.ndarray:
    """Both sides times `scale`, to no less than one pixel; bicubic, Pillow's default, as published."""
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), filter))


def _crop(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A window of `share` of both sides; its place in the room left is the same at every severity."""
    height, width = (max(1, round(side * share)) for side in rgb.shape[:2])
    top, left = (int(at) for at in np.round(rng.random(2) * np.subtract(rgb.shape[:2], (height, width))))
    return rgb[top : top + height, left : left + width].copy()


def _screenshot(rgb: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Shown smaller on a screen, captured there, passed on as a JPEG."""
    return degrade.compress(_resize(rgb, scale, rng, Image.Resampling.BILINEAR), SCREEN_QUALITY)


SHOWN = "shown smaller, captured, saved as JPEG"
PERTURBATIONS = {
    "jpeg": Perturbation("saved as JPEG", "quality", (100, 90, 80, 70, 60), PUBLISHED, _jpeg, encodes=True),
    "webp": Perturbation("saved as WebP", "quality", (90, 80, 70, 60, 50), OURS, _webp),
    "blur": Perturbation("Gaussian blur", "sigma, px", (0.5, 1, 1.5, 2), PUBLISHED, _blur),
    "noise": Perturbation("Gaussian noise", "standard deviation, of 255", (2, 4, 8, 16), OURS, _noise),
    "down": Perturbation("made smaller", "scale", (0.75, 0.5, 0.25), PUBLISHED, _resize),
    "up": Perturbation("made larger", "scale", (1.25, 1.5, 1.75, 2), PUBLISHED, _resize),
    "crop": Perturbation("a window of it, placed at random", "share of each side", (0.9, 0.75, 0.5), OURS, _crop),
    "screenshot": Perturbation(SHOWN, "scale", (0.9, 0.75, 0.5), OURS, _screenshot, encodes=True),
}
