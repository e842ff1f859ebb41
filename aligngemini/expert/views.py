"""Views for training and scoring: crops of images, resized or not; both members of a pair get the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from aligngemini.images.jpeg import GRID

from . import changes
from .params import ExpertParams
from .sample import Sample


@dataclass(frozen=True)
class Frame:
    """A crop of an image that is first resized to `size` (height, width), by a filter or not at all.

    start: where the crop begins, negative where the image is smaller; begin, side: the region that is changed instead
    of the whole image.
    """

    size: Sequence[int]
    start: Sequence[int]
    begin: Sequence[int]
    side: int
    crop: int
    resampling: Image.Resampling | None = None

    def region(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of an image uint8 [H, W, 3], whose memory it may share; its edge goes on outside."""
        spans = [(max(at, 0), min(at + self.side, all)) for at, all in zip(self.begin, self.size, strict=True)]
        pads = [(low - at, at + self.side - high) for at, (low, high) in zip(self.begin, spans, strict=True)]
        inside = rgb[tuple(slice(*span) for span in spans)] if self.resampling is None else self._resized(rgb, *spans)
        return np.pad(inside, (*pads, (0, 0)), mode="edge") if np.any(pads) else inside

    def _resized(self, rgb: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        down, across = (old / new for old, new in zip(rgb.shape, self.size, strict=False))
        # Pillow looks at what lies around the box, so this is a part of the resized image
        box = (columns[0] * across, rows[0] * down)
        box += (min(columns[1] * across, rgb.shape[1]), min(rows[1] * down, rgb.shape[0]))
        size = (columns[1] - columns[0], rows[1] - rows[0])
        return np.asarray(Image.fromarray(rgb).resize(size, self.resampling, box))

    def cut(self, region: np.ndarray) -> np.ndarray:
        """The crop out of a region; black where there is no image, as DDA pads it."""
        down, across = (at - begin for at, begin in zip(self.start, self.begin, strict=True))
        out = np.zeros((self.crop, self.crop, 3), np.uint8)
        sizes = zip(self.start, self.size, strict=True)
        inside = tuple(slice(max(-at, 0), min(all - at, self.crop)) for at, all in sizes)
        out[inside] = region[down : down + self.crop, across : across + self.crop][inside]
        return out


def framed(
    shape: Sequence[int], shares: tuple[float, float], crop: int, margin: int = 0, factor: float = 1.0, resampling=None
) -> Frame:
    """The frame of a crop in an image of `shape` after resizing by `factor`; `shares` are its place, as in Sample.

    The region has `margin` px around the crop for changes that look around, and begins on the JPEG grid; without
    a margin it is the crop.
    """
    size = (max(1, int(shape[0] * factor)), max(1, int(shape[1] * factor)))
    spaces = [(share, length - crop) for share, length in zip(shares, size, strict=True)]
    start = tuple(round(share * max(space, 0)) - max(-space, 0) // 2 for share, space in spaces)
    if not margin:
        return Frame(size, start, start, crop, crop, resampling)
    begin = tuple((at - margin) // GRID * GRID for at in start)
    side = -(-(crop + 2 * margin + GRID - 1) // GRID) * GRID
    return Frame(size, start, begin, side, crop, resampling)


def names(config: ExpertParams) -> list[str]:
    """What `paired_views` returns, in its order."""
    sizes = ["", ", smaller", ", larger"] if config.resized_views else [""]
    return [f"{member}{size}" for member in ("real", "fake") for size in sizes]


def paired_views(
    real: np.ndarray,
    fake: np.ndarray,
    config: ExpertParams,
    sampled: Sample,
    rng: np.random.Generator,
    quality: float = float("nan"),
) -> np.ndarray:
    """All views of a photograph and its fake (uint8 [H, W, 3]): uint8 [2 v, crop, crop, 3], the real's v first.

    Images of different sizes are no pair and are not mixed. quality: the photograph's JPEG quality, NaN for none.
    """
    fake = changes.mix(real, fake, quality, sampled) if real.shape == fake.shape else fake
    sizes = [(1.0, None), *sampled.resized]
    place = (sampled.top, sampled.left), config.crop, config.margin
    framings = [(framed(rgb.shape[:2], *place, *size), rgb) for rgb in (real, fake) for size in sizes]
    regions = np.stack([frame.region(rgb) for frame, rgb in framings])
    changed = changes.apply(regions, sampled, config.chain, rng)
    mirrors = [axis for axis, name in ((1, "upend"), (2, "flip")) if name in config.chain and getattr(sampled, name)]
    changed = np.flip(changed, tuple(mirrors))  # to cut where the frame says; then mirrored again
    views = [frame.cut(region) for (frame, _), region in zip(framings, changed, strict=True)]
    return np.flip(np.stack(views), tuple(mirrors))


def window(rgb: np.ndarray, size: int, top: float = 0.5, left: float = 0.5) -> np.ndarray:
    """A copied window, size x size, of uint8 [H, W, 3]; a smaller image is padded with zeros, as DDA does."""
    frame = framed(rgb.shape[:2], (top, left), size)
    return frame.cut(frame.region(rgb))


def tensor(images: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8 [n, H, W, 3] images as one uint8 tensor [n, 3, H, W]."""
    return torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2).contiguous()
