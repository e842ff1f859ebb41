"""Pixel statistics that know nothing of meaning: spectrum, block transform and residual of the luminance."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter
from scipy.fft import dctn, fft2

RINGS, SIDE = 16, 112  # SIDE, px: the centre of an image that is seen


def describe(rgb: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Float64 [101] of uint8 [H, W, 3]: spectrum rings, 8 x 8 DCT energies, residual and colour moments.

    Taken from the centre square of at most `side` px, cut on the 8 px grid.
    """
    luminance = np.asarray(Image.fromarray(rgb).convert("L"), np.float64)
    gray = centre(luminance, side)
    return np.concatenate([_spectrum(gray), _blocks(gray), _residual(gray), _colour(centre(rgb, side))])


def centre(array: np.ndarray, side: int) -> np.ndarray:
    """The centre square [<= side, <= side, ...] of an image [H, W, ...], cut on the 8 px grid."""
    top, left = (max(0, length - side) // 2 // 8 * 8 for length in array.shape[:2])
    return array[top : top + side, left : left + side]


def crop(rgb: np.ndarray) -> np.ndarray:
    """The centre square of uint8 [H, W, 3], cut on the 8 px grid, as uint8 [3, SIDE, SIDE]; small images are padded."""
    square = centre(rgb, SIDE)
    missing = [(0, SIDE - length) for length in square.shape[:2]]
    return np.pad(square, [*missing, (0, 0)], mode="edge").transpose(2, 0, 1)


def _spectrum(gray: np.ndarray) -> np.ndarray:
    """Log energy of the Hann-windowed spectrum in rings of equal width up to the Nyquist frequency."""
    window, ring, counts = _rings(*gray.shape)
    energy = np.abs(fft2((gray - gray.mean()) * window)) ** 2
    return np.log(np.bincount(ring, energy.ravel(), RINGS + 1) / counts + 1e-3)[:RINGS]


@lru_cache(maxsize=16)
def _rings(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The Hann window [height, width]; the ring of each frequency [height * width], RINGS beyond Nyquist; the number
    of frequencies in each ring, 1 or more.
    """
    window = np.hanning(height)[:, None] * np.hanning(width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * 2
    ring = np.minimum((radius * RINGS).astype(int), RINGS).ravel()
    return window, ring, np.maximum(np.bincount(ring, minlength=RINGS + 1), 1)


def _blocks(gray: np.ndarray) -> np.ndarray:
    """Log mean square of the 64 coefficients of the 8 x 8 blocks, on the JPEG grid."""
    height, width = (max(8, length // 8 * 8) for length in gray.shape)
    padded = np.pad(gray, [(0, max(0, 8 - length)) for length in gray.shape], mode="edge")[:height, :width]
    blocks = padded.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    coefficients = dctn(blocks, axes=(2, 3), norm="ortho")
    return np.log((coefficients**2).mean((0, 1)).ravel() + 1e-3)


def _residual(gray: np.ndarray) -> np.ndarray:
    """Moments, neighbour correlations and quantiles of what a small blur takes away."""
    blurred = Image.fromarray(gray.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    residual = gray - np.asarray(blurred, np.float64)
    spread = residual.std() + 1e-6
    even = (residual - residual.mean()) / spread
    square = even * even  # NumPy takes fifty times as long for a power of 3 or 4
    moments = [np.log(spread), (square * even).mean(), (square * square).mean()]
    moments += [(side[1:] * side[:-1]).mean() if len(side) > 1 else 0.0 for side in (even, even.T)]
    return np.array([*moments, *_quantiles(np.abs(residual).astype(np.int64), (0.25, 0.5, 0.75, 0.95))])


def _quantiles(whole: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """np.quantile of whole numbers from 0 on, which are counted: that takes a tenth of the time of sorting them."""
    upto = np.bincount(whole.ravel()).cumsum()
    place = np.array(shares) * (whole.size - 1)
    low, high = (np.searchsorted(upto, end, side="right") for end in (np.floor(place), np.ceil(place)))
    return low + (place - np.floor(place)) * (high - low)


def _colour(rgb: np.ndarray) -> np.ndarray:
    """Log deviations of the fine grain of red and blue against green, along rows and columns; gray levels."""
    values = rgb.astype(np.int16)
    chroma = np.stack([values[..., 0] - values[..., 1], values[..., 2] - values[..., 1]])
    grain = np.stack([_step(_step(chroma, axis), axis) for axis in (1, 2)])
    medians = np.concatenate([_quantiles(plane, (0.5,)) for plane in np.abs(grain).reshape(4, *rgb.shape[:2])])
    greens = np.count_nonzero(np.bincount(rgb[..., 1].ravel(), minlength=256))
    ends = [np.count_nonzero(rgb == end) / rgb.size for end in (0, 255)]
    levels = [chroma.std((1, 2)).mean(), greens, *ends]
    return np.log1p(np.concatenate([medians, grain.std((2, 3)).ravel(), levels]))


def _step(values: np.ndarray, axis: int) -> np.ndarray:
    return np.diff(values, axis=axis, append=values.take([-1], axis))
