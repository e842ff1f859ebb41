"""Photographs manipulated with exact masks, as GAMMA trains on (arXiv 2509.10250). Shapes, shares and order: ours."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from aligngemini.expert import views
from aligngemini.images import decode

GENERATED, MOVED = 0, 1  # the sources that masks tell apart: pixels of a decoder, and camera pixels from elsewhere
KINDS = {"inpainting": GENERATED, "reconstruction": GENERATED, "copy-move": MOVED, "splicing": MOVED}
SHARE = (0.1, 0.4)  # share of the image that a blob covers
BUMPS = 0.25  # how ragged a blob is: 0 is a disc
FINENESS = 16  # bumps that fit the longer side


class Manipulated(NamedTuple):
    """A crop of a photograph and the same manipulated, both uint8 [H, W, 3], and the masks bool [H, W, 2], by GENERATED
    and MOVED.
    """

    real: np.ndarray
    fake: np.ndarray
    masks: np.ndarray


def example(pairs: pd.DataFrame, place: int, kind: str, crop: int, rng: np.random.Generator) -> Manipulated:
    """The pair at `place` of a table of `batches.match_real_fake`, cropped and manipulated; draws come from `rng`.

    Pixels of a decoder are those of the pair's reconstruction, spliced ones those of another photograph. Raises
    Unreadable.
    """
    top, left = rng.random(2)
    other = (place + 1 + int(rng.integers(max(1, len(pairs) - 1)))) % len(pairs)
    paths = {"copy-move": pairs.real[place], "splicing": pairs.real[other]}
    real, source = (_crop(path, crop, top, left) for path in (pairs.real[place], paths.get(kind, pairs.fake[place])))
    return apply(kind, real, source, rng)


def _crop(path: str | Path, crop: int, top: float, left: float) -> np.ndarray:
    return views.window(decode.read(path).rgb, crop, top, left)


def apply(kind: str, rgb: np.ndarray, source: np.ndarray, rng: np.random.Generator) -> Manipulated:
    """Fill a region of uint8 [H, W, 3] from `source` of the same shape: a blob, or for a reconstruction everything.

    A copy-move fills from a place that is a quarter to half a side away. Outside the mask no pixel changes.
    """
    height, width = rgb.shape[:2]
    inside = np.ones((height, width), bool) if kind == "reconstruction" else region(height, width, rng)
    if kind == "copy-move":
        source = np.roll(source, [int(rng.integers(side // 4, side // 2 + 1)) for side in (height, width)], (0, 1))
    masks = np.zeros((height, width, 2), bool)
    masks[..., KINDS[kind]] = inside
    return Manipulated(rgb, np.where(inside[..., None], source, rgb), masks)


def region(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A blob, bool [H, W], around a random place; its share of the image is drawn from SHARE."""
    rows, columns = np.ogrid[:height, :width]
    row, column = rng.uniform(0.25, 0.75, 2) * (height, width)
    hill = -np.hypot(rows - row, columns - column)
    bumps = gaussian_filter(rng.normal(size=(height, width)), max(height, width) / FINENESS)
    score = hill / hill.std() + BUMPS * bumps / bumps.std()
    return score > np.quantile(score, 1 - rng.uniform(*SHARE))
