"""Views for training and scoring: both members of a pair get identical draws, and only what a crop needs is touched."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from . import augment, mixing
from .frame import Frame, framed
from .params import ExpertParams

FILTERS = [getattr(Image.Resampling, name) for name in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")]


@dataclass(frozen=True)
class SampledViews:
    """All that the views of one pair depend on; positions are shares of the room that a crop leaves.

    resized: factor and filter of each resized view.
    """

    top: float
    left: float
    changes: augment.Changes = field(default_factory=augment.Changes)
    resized: tuple[tuple[float, Image.Resampling], ...] = ()
    mix: mixing.Mix = field(default_factory=mixing.Mix)


def sample(cfg: ExpertParams, rng: np.random.Generator) -> SampledViews:
    """Sample position, changes, resizing and mixing of one pair."""
    top, left = (float(share) for share in rng.random(2))
    changes = augment.sample(cfg, rng)
    factors = [float(rng.uniform(*limits)) for limits in (cfg.downscale, cfg.upscale)]
    filters = [FILTERS[i] for i in rng.permutation(len(FILTERS))[:2]]
    resized = tuple(zip(factors, filters, strict=True)) if cfg.resized_views else ()
    return SampledViews(top, left, changes, resized, mixing.sample(cfg, rng))


def names(cfg: ExpertParams) -> list[str]:
    """What `paired_views` returns, in its order."""
    sizes = ["", ", smaller", ", larger"] if cfg.resized_views else [""]
    return [f"{member}{size}" for member in ("real", "fake") for size in sizes]


def paired_views(
    real: np.ndarray,
    fake: np.ndarray,
    cfg: ExpertParams,
    sampled: SampledViews,
    rng: np.random.Generator,
    quality: float = float("nan"),
) -> np.ndarray:
    """All views of a photograph and its fake (uint8 [H, W, 3]): uint8 [2 v, crop, crop, 3], the real's v first.

    Pictures of different sizes are no pair and are not mixed. quality: the photograph's JPEG quality, NaN for none.
    """
    frames = [_frames(rgb, cfg, sampled) for rgb in (real, fake)]
    if real.shape == fake.shape and sampled.mix != mixing.Mix():
        fake = _mixed(real, fake, quality, sampled.mix, frames[1])
    placed = [(frame, rgb) for rgb, several in zip((real, fake), frames, strict=True) for frame in several]
    regions = np.stack([frame.region(rgb) for frame, rgb in placed])
    done = augment.apply(regions, sampled.changes, cfg.chain, rng)
    upend, flip = (name in cfg.chain and getattr(sampled.changes, name) for name in ("upend", "flip"))
    return np.stack([frame.cut(region, upend, flip) for (frame, _), region in zip(placed, done, strict=True)])


def _frames(rgb: np.ndarray, cfg: ExpertParams, sampled: SampledViews) -> list[Frame]:
    place = (rgb.shape[:2], (sampled.top, sampled.left), cfg.crop, cfg.margin)
    return [framed(*place), *(framed(*place, factor, resampling) for factor, resampling in sampled.resized)]


def _mixed(real: np.ndarray, fake: np.ndarray, quality: float, mix: mixing.Mix, frames: Sequence[Frame]) -> np.ndarray:
    """The fake with what its views need of it mixed, the rest as it was."""
    needed = np.array([frame.source(*real.shape[:2]) for frame in frames])
    top, left = needed[:, :2].min(0)
    bottom, right = needed[:, 2:].max(0)
    window = slice(top, bottom), slice(left, right)
    fake = fake.copy()
    fake[window] = mixing.mix(real[window], fake[window], quality, mix)
    return fake


def window(rgb: np.ndarray, size: int, top: float = 0.5, left: float = 0.5) -> np.ndarray:
    """A copied window, size x size, of uint8 [H, W, 3]; a smaller picture is padded with zeros, as DDA does."""
    frame = framed(rgb.shape[:2], (top, left), size, 0)
    return frame.cut(frame.region(rgb), False, False).copy()


def tensor(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8 [n, H, W, 3] pictures as one uint8 tensor [n, 3, H, W]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
