"""Fakes brought nearer to their photographs: compressed like them, and mixed with them (DDA's training code)."""

import math
from dataclasses import dataclass

import numpy as np

from aligngemini.images import degrade

from .params import ExpertParams


@dataclass(frozen=True)
class Mix:
    """What the fake of a pair goes through: whether it is compressed, and the photograph's share in it, 0 to 1."""

    compressed: bool = False
    share: float = 0.0


def sample(cfg: ExpertParams, rng: np.random.Generator) -> Mix:
    """Sample compression, pixel mix and frequency mix, each with its probability, a parameter of notebook 03.

    The release mixes all cosine coefficients of a picture with one weight, and the transform is linear: that is the
    same as mixing pixels with this weight, so it is done so, without a transform and exactly whatever the crop. Two
    mixes in a row, in either order, are one mix. The release puts the pixel mix's coefficient on the fake, its
    paper's formula on the photograph: `mode` decides.
    """
    compressed = bool(rng.random() < cfg.align_probability)
    pixel, frequency = (float(rng.uniform(*cfg.mix_strength)) for _ in range(2))
    shares = (1 - pixel if cfg.mode == "faithful" else pixel, frequency)
    chances = (cfg.pixel_mix_probability, cfg.frequency_mix_probability)
    fake_shares = [1 - share for share, chance in zip(shares, chances, strict=True) if rng.random() < chance]
    return Mix(compressed, 1 - math.prod(fake_shares))


def mix(real: np.ndarray, fake: np.ndarray, quality: float, sampled: Mix) -> np.ndarray:
    """The fake, uint8 [H, W, 3] like `real`, compressed at the photograph's quality and mixed with it as sampled.

    A quality of NaN (never compressed) or 100 compresses nothing.
    """
    if sampled.compressed and quality < 100:
        fake = degrade.compress(fake, int(quality))
    if sampled.share:
        fake = (fake + np.float32(sampled.share) * (real.astype(np.float32) - fake) + 0.5).astype(np.uint8)
    return fake
