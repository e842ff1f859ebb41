"""What pixels hold that eyes miss: a difference made larger, the spectrum, a window with every pixel enlarged."""

import numpy as np

GAIN = 8  # of a difference: ours
DECADES = 5  # of power that a spectrum shows, from black to white


def difference(rgb: np.ndarray, other: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """`other` less `rgb`, both uint8 [H, W, 3], times `gain` around middle grey; uint8 of the same shape."""
    return (128 + gain * (other.astype(np.float32) - rgb)).clip(0, 255).astype(np.uint8)


def spectrum(rgb: np.ndarray) -> np.ndarray:
    """The power of the brightness of uint8 [H, W, 3] by frequency, logarithmic, low frequencies in the middle; uint8
    [H, W, 3].
    """
    grey = rgb.astype(np.float32).mean(axis=2)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))  # else the borders are a bright cross
    power = np.log10(np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window))) ** 2 + 1e-3)
    shade = (255 * (1 - (power.max() - power) / (2 * DECADES))).clip(0, 255)
    return np.repeat(shade[..., None], 3, axis=2).astype(np.uint8)


def zoom(rgb: np.ndarray, share: float = 0.25) -> np.ndarray:
    """The window in the middle of uint8 [H, W, 3] whose sides are `share` of its sides."""
    height, width = (max(1, round(side * share)) for side in rgb.shape[:2])
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]
