"""Where a crop lies in a picture, and the region around it that is worked on instead of the whole picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from aligngemini.images.jpeg import GRID

REACH = 3  # pixels of the larger of both sizes that Lanczos, the widest filter, looks at on either side


@dataclass(frozen=True)
class Frame:
    """A crop of a picture that is first resized to `size` (height, width); see `framed`.

    start: where the crop begins in it, negative where the picture is smaller; begin, side: the region worked on.
    """

    size: tuple[int, int]
    start: tuple[int, int]
    begin: tuple[int, int]
    side: int
    crop: int
    resampling: Image.Resampling | None = None  # None: not resized

    @property
    def part(self) -> tuple[int, int, int, int]:
        """What of the region lies in the resized picture: top, left, bottom, right."""
        ends = [min(begin + self.side, length) for begin, length in zip(self.begin, self.size, strict=True)]
        return max(self.begin[0], 0), max(self.begin[1], 0), *ends

    def source(self, height: int, width: int) -> tuple[int, int, int, int]:
        """What is needed of a picture of this size: top, left, bottom, right, on the JPEG grid where it can be.

        A coding unit more lies on either side, because colour is interpolated across their borders.
        """
        bounds = []
        for at, (length, old) in enumerate(zip(self.size, (height, width), strict=True)):
            scale = old / length
            reach = GRID + (REACH * max(scale, 1) if self.resampling is not None else 0)
            low, high = self.part[at] * scale - reach, self.part[at + 2] * scale + reach
            bounds.append((max(int(low // GRID) * GRID, 0), min(int(-(-high // GRID)) * GRID, old)))
        return bounds[0][0], bounds[1][0], bounds[0][1], bounds[1][1]

    def region(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [side, side, 3] of a picture uint8 [H, W, 3], resized from what is needed; its edge goes on outside."""
        top, left, bottom, right = self.part
        inside = rgb[top:bottom, left:right] if self.resampling is None else self._resized(rgb)
        before = (top - self.begin[0], left - self.begin[1])
        pads = [(lack, self.side - lack - length) for lack, length in zip(before, inside.shape[:2], strict=True)]
        return np.pad(inside, (*pads, (0, 0)), mode="edge") if any(map(any, pads)) else inside

    def _resized(self, rgb: np.ndarray) -> np.ndarray:
        top, left, bottom, right = self.part
        down, across = rgb.shape[0] / self.size[0], rgb.shape[1] / self.size[1]
        box = (left * across, top * down, min(right * across, rgb.shape[1]), min(bottom * down, rgb.shape[0]))
        # Pillow looks at what lies around the box, so this is the resized picture's own part
        return np.asarray(Image.fromarray(rgb).resize((right - left, bottom - top), self.resampling, box))

    def cut(self, region: np.ndarray, upend: bool, flip: bool) -> np.ndarray:
        """The crop out of a region that may have been mirrored; black where there is no picture, as DDA pads it."""
        spans, bounds = [], []
        for at, mirrored in enumerate((upend, flip)):
            inset, low = self.start[at] - self.begin[at], max(-self.start[at], 0)
            high = min(self.size[at] - self.start[at], self.crop)
            inset = self.side - self.crop - inset if mirrored else inset
            spans.append(slice(inset, inset + self.crop))
            bounds.append((self.crop - high, self.crop - low) if mirrored else (low, high))
        return _blackened(region[tuple(spans)], *bounds)


def _blackened(crop: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    if (*rows, *columns) == (0, crop.shape[0]) * 2:
        return crop
    out = np.zeros_like(crop)
    inside = slice(*rows), slice(*columns)
    out[inside] = crop[inside]
    return out


def framed(
    shape: tuple[int, int], shares: tuple[float, float], crop: int, margin: int, factor: float = 1.0, resampling=None
) -> Frame:
    """The frame of a crop whose position is given as shares of the room it leaves, so that they fit any picture.

    The region has `margin` px around the crop for changes that look around, and begins on the JPEG grid; without
    a margin it is the crop.
    """
    size = tuple(max(1, int(length * factor)) for length in shape)
    start = tuple(
        round(share * max(length - crop, 0)) - max(crop - length, 0) // 2
        for share, length in zip(shares, size, strict=True)
    )
    if not margin:
        return Frame(size, start, start, crop, crop, resampling)
    begin = tuple((at - margin) // GRID * GRID for at in start)
    side = -(-(crop + 2 * margin + GRID - 1) // GRID) * GRID
    return Frame(size, start, begin, side, crop, resampling)
