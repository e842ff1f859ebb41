"""The chain that removes pixel traces from both classes: downsample, noise, blur, JPEG, upsample.

The order is the authors'. Every range is ours: they state none.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from aligngemini.core import seeds

from . import jpeg

FILTERS = ("bilinear", "bicubic", "lanczos")  # of Pillow
ROWS = 256  # that get their noise at once
DRAWN = ("scale", "noise", "blur", "jpeg")
UNCHANGED = {"scale": 1.0, "noise": 0.0, "blur": 0.0, "jpeg": 100.0}


@dataclass(frozen=True)
class Values:
    """All that one pass through the chain depends on.

    scale: side of the small image relative to the input; noise: standard deviation, of 255; blur: Gaussian
    sigma in pixels of the small image; jpeg: libjpeg quality; down, up: resampling filters; grain: seed of
    the noise field.
    """

    scale: float
    noise: float
    blur: float
    jpeg: int
    down: str
    up: str
    grain: int

    def columns(self) -> dict[str, float]:
        """The drawn values under their names in the image table."""
        return {f"degrade_{name}": float(getattr(self, name)) for name in DRAWN}


def generator(seed: int, key: str) -> np.random.Generator:
    """A generator that depends on (seed, key) alone, neither on order nor on the number of workers."""
    return seeds.generator("degrade", seed, key)


def ranges(data: Any) -> dict[str, Sequence[float]]:
    """The four [least, most] pairs of a data configuration, or of the parameters of a data run, by short name."""
    params = data if isinstance(data, Mapping) else vars(data)
    return {name: params[f"degrade_{name}"] for name in DRAWN}


def weaker(ranges: Mapping[str, Sequence[float]], share: float) -> dict[str, list[float]]:
    """The ranges at `share` (0 to 1) of the way from no change at all to `ranges`."""
    return {name: [(1 - share) * none + share * end for end in ranges[name]] for name, none in UNCHANGED.items()}


def middle(ranges: Mapping[str, Sequence[float]], share: float) -> Values:
    """The values in the middle of the ranges at `share` of the way, nothing drawn; filters are bicubic."""
    at = {name: sum(pair) / 2 for name, pair in weaker(ranges, share).items()}
    return Values(at["scale"], at["noise"], at["blur"], round(at["jpeg"]), "bicubic", "bicubic", 0)


def draw(ranges: Mapping[str, Sequence[float]], rng: np.random.Generator) -> Values:
    """Draw one set of values, each uniform in its [least, most] pair; filters are drawn alike."""
    scale, noise, blur = (float(rng.uniform(*ranges[name])) for name in ("scale", "noise", "blur"))
    quality = int(rng.integers(*map(round, ranges["jpeg"]), endpoint=True))
    down, up = (str(rng.choice(FILTERS)) for _ in range(2))
    return Values(scale, noise, blur, quality, down, up, int(rng.integers(2**32)))


def degrade(rgb: np.ndarray, values: Values) -> np.ndarray:
    """Send uint8 [H, W, 3] through the whole chain; uint8 of the same shape."""
    small = rescale(rgb, values.scale, values.down)
    degraded = compress(blur(noise(small, values.noise, values.grain), values.blur), values.jpeg)
    return resize(degraded, rgb.shape[:2], values.up)


def weakly(rgb: np.ndarray, ranges: Mapping[str, Sequence[float]], share: float) -> np.ndarray:
    """`degrade` by the `middle` values at a share of the way; the image itself at 0."""
    return degrade(rgb, middle(ranges, share)) if share else rgb


def rescale(rgb: np.ndarray, scale: float, filter: str) -> np.ndarray:
    """Both sides times `scale`, to no less than one pixel."""
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return resize(rgb, (height, width), filter)


def noise(rgb: np.ndarray, sigma: float, grain: int) -> np.ndarray:
    """Add independent Gaussian noise of standard deviation `sigma` (of 255) to every value."""
    rng, noisy = np.random.default_rng(grain), np.empty(rgb.shape, np.uint8)
    for top in range(0, len(rgb), ROWS):  # the field of a large picture would take sixteen times its memory
        rows = rgb[top : top + ROWS]
        field = rng.standard_normal(rows.shape, dtype=np.float32)
        noisy[top : top + ROWS] = (rows + np.float32(sigma) * field + 0.5).clip(0, 255)
    return noisy


def blur(rgb: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma)))


def compress(rgb: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg.encode(rgb, quality))))


def resize(rgb: np.ndarray, shape: tuple[int, int], filter: str) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize(shape[::-1], Image.Resampling[filter.upper()]))
