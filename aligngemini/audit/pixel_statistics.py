"""Pixel statistics that know nothing of meaning: spectrum, block transform and residual of the luminance."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter
from scipy.fft import dctn

RINGS = 16


def describe(rgb: np.ndarray, side: int = 112) -> np.ndarray:
    """Float64 [101] of uint8 [H, W, 3]: spectrum rings, 8 x 8 DCT energies, residual and colour moments.

    Taken from the centre square of at most `side` px, cut on the 8 px grid.
    """
    luminance = np.asarray(Image.fromarray(rgb).convert("L"), np.float64)
    grey = _centre(luminance, side)
    return np.concatenate([_spectrum(grey), _blocks(grey), _residual(grey), _colour(_centre(rgb, side))])


def _centre(array: np.ndarray, side: int) -> np.ndarray:
    top, left = (max(0, length - side) // 2 // 8 * 8 for length in array.shape[:2])
    return array[top : top + side, left : left + side]


def _spectrum(grey: np.ndarray) -> np.ndarray:
    """Log energy of the Hann-windowed spectrum in rings of equal width up to the Nyquist frequency."""
    window, ring = _rings(*grey.shape)
    energy = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    sums, counts = (
        np.bincount(ring.ravel(), energy.ravel(), RINGS + 1),
        np.bincount(ring.ravel(), minlength=RINGS + 1),
    )
    return np.log(sums[:RINGS] / np.maximum(counts[:RINGS], 1) + 1e-3)


@lru_cache(64)  # pictures smaller than the square have sizes of their own
def _rings(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A Hann window, float64, and the ring that each coefficient belongs to, int64; both [height, width]."""
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * 2
    return np.hanning(height)[:, None] * np.hanning(width), np.minimum((radius * RINGS).astype(int), RINGS)


def _blocks(grey: np.ndarray) -> np.ndarray:
    """Log mean square of the 64 coefficients of the 8 x 8 blocks, on the JPEG grid."""
    height, width = (max(8, length // 8 * 8) for length in grey.shape)
    padded = np.pad(grey, [(0, max(0, 8 - length)) for length in grey.shape], mode="edge")[:height, :width]
    blocks = padded.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    coefficients = dctn(blocks, axes=(2, 3), norm="ortho")
    return np.log((coefficients**2).mean((0, 1)).ravel() + 1e-3)


def _residual(grey: np.ndarray) -> np.ndarray:
    """Moments, neighbour correlations and quantiles of what a small blur takes away."""
    picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    left = grey - np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), np.float64)
    spread = left.std() + 1e-6
    even = (left - left.mean()) / spread
    neighbours = [(even[1:] * even[:-1]).mean() if len(even) > 1 else 0.0]
    neighbours += [(even[:, 1:] * even[:, :-1]).mean() if even.shape[1] > 1 else 0.0]
    return np.array(
        [
            np.log(spread),
            (even**3).mean(),
            (even**4).mean(),
            *neighbours,
            *np.quantile(np.abs(left), (0.25, 0.5, 0.75, 0.95)),
        ]
    )


def _colour(rgb: np.ndarray) -> np.ndarray:
    """Log deviations of the fine grain of red and blue against green, along rows and columns; grey levels."""
    values = rgb.astype(np.int16)
    chroma = np.stack([values[..., 0] - values[..., 1], values[..., 2] - values[..., 1]])
    steps = [np.diff(chroma, axis=axis, append=chroma.take([-1], axis)) for axis in (1, 2)]
    grain = np.stack(
        [np.diff(step, axis=axis, append=step.take([-1], axis)) for step, axis in zip(steps, (1, 2), strict=True)]
    )
    medians = [np.median(np.abs(grain), axis=(2, 3)).ravel(), grain.std((2, 3)).ravel()]
    greens = np.count_nonzero(np.bincount(rgb[..., 1].ravel(), minlength=256))
    levels = [chroma.std((1, 2)).mean(), greens, (rgb == 0).mean(), (rgb == 255).mean()]
    return np.log1p(np.concatenate([*medians, levels]))
