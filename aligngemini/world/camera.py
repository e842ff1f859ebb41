"""A camera for the small world: lens blur, sensor noise, Bayer mosaic and its interpolation, sharpening, tone."""

import numpy as np
from PIL import Image, ImageFilter

# Ranges are ours, chosen to look like a small consumer camera.
RANGES = {
    "lens": (0.25, 0.6),  # px, Gaussian sigma
    "noise": (1.5, 5.0),  # standard deviation, of 255
    "sharpen": (30.0, 110.0),  # percent, unsharp mask
    "gamma": (0.9, 1.12),
    "quality": (70.0, 98.0),  # JPEG
}


def settings(rng: np.random.Generator) -> dict[str, float]:
    """Draw one value for each entry of RANGES, uniformly."""
    return {name: float(rng.uniform(*span)) for name, span in RANGES.items()}


def expose(rgb: np.ndarray, values: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """What the camera with these settings makes of a scene: uint8 [H, W, 3] in and out; JPEG is left to the caller."""
    light = np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(values["lens"])), np.float32)
    raw = light + rng.standard_normal(light.shape, dtype=np.float32) * np.float32(values["noise"])
    table = (255 * (np.arange(256) / 255) ** values["gamma"] + 0.5).astype(np.uint8)
    seen = Image.fromarray(table[demosaic(raw).clip(0, 255).astype(np.uint8)])
    return np.asarray(seen.filter(ImageFilter.UnsharpMask(0.8, int(values["sharpen"]), 0)))


def photograph(rgb: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Photograph a painted scene with drawn settings: (uint8 [H, W, 3], JPEG quality the camera would save it at)."""
    values = settings(rng)
    return expose(rgb, values, rng), round(values["quality"])


def demosaic(rgb: np.ndarray) -> np.ndarray:
    """Keep one colour a pixel (RGGB) and interpolate the rest bilinearly; float32 [H, W, 3] in and out."""
    keep = np.zeros(rgb.shape, np.float32)
    keep[0::2, 0::2, 0] = keep[0::2, 1::2, 1] = keep[1::2, 0::2, 1] = keep[1::2, 1::2, 2] = 1.0
    return _spread(rgb * keep) / np.float32([4, 8, 4])  # what the kernel makes of `keep`, everywhere


def _spread(plane: np.ndarray) -> np.ndarray:
    """Bilinear 3 x 3 kernel (1 2 1) x (1 2 1), separable, with mirrored borders; both sides have 2 px or more."""
    rows = np.concatenate([plane[1:2], plane, plane[-2:-1]])
    rows = rows[:-2] + 2 * rows[1:-1] + rows[2:]
    columns = np.concatenate([rows[:, 1:2], rows, rows[:, -2:-1]], axis=1)
    return columns[:, :-2] + 2 * columns[:, 1:-1] + columns[:, 2:]
