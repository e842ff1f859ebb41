"""Views for training and scoring: crops, never resized; a photograph and its reconstruction get identical draws."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter


@dataclass(frozen=True)
class Draw:
    """What one pair is put through. Positions are shares of the room that a crop leaves, so that they fit any
    picture.
    """

    top: float
    left: float
    flip: bool
    jpeg: int  # quality, 0 for none
    noise: float  # standard deviation, of 255
    blur: float  # px, Gaussian sigma


def draw(cfg, rng: np.random.Generator) -> Draw:
    """Draw crop, flip and, each with its probability, JPEG, noise and blur.

    Probabilities are parameters of notebook 03; ranges follow DDA's training code (JPEG 55-100) where it fits a small
    crop and are ours elsewhere.
    """
    top, left = rng.random(2)
    jpeg = int(rng.integers(55, 101)) if rng.random() < cfg.jpeg_probability else 0
    noise = float(rng.uniform(1, 6)) if rng.random() < cfg.noise_probability else 0.0
    blur = float(rng.uniform(0.3, 0.9)) if rng.random() < cfg.blur_probability else 0.0
    return Draw(float(top), float(left), bool(rng.random() < 0.5), jpeg, noise, blur)


def window(rgb: np.ndarray, size: int, top: float = 0.5, left: float = 0.5) -> np.ndarray:
    """A size x size window of uint8 [H, W, 3]; a picture smaller than that is padded with zeros, as DDA does."""
    height, width = rgb.shape[:2]
    down, across = round(top * max(height - size, 0)), round(left * max(width - size, 0))
    cut = rgb[down : down + size, across : across + size]
    lack = (size - cut.shape[0], size - cut.shape[1])
    if lack == (0, 0):
        return cut
    (up, side) = (lack[0] // 2, lack[1] // 2)
    return np.pad(cut, ((up, lack[0] - up), (side, lack[1] - side), (0, 0)))


def view(rgb: np.ndarray, size: int, drawn: Draw, rng: np.random.Generator) -> np.ndarray:
    """Crop and change a picture as drawn; give both members of a pair the same `drawn` and an equal `rng`."""
    picture = Image.fromarray(window(rgb, size, drawn.top, drawn.left))
    if drawn.flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if drawn.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(drawn.blur))
    if drawn.noise:
        grain = rng.standard_normal((size, size, 3), dtype=np.float32) * drawn.noise
        picture = Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))
    if drawn.jpeg:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=drawn.jpeg)
        picture = Image.open(stream)
    return np.asarray(picture)


def tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 [n, H, W, 3] pictures as one uint8 tensor [n, 3, H, W]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
