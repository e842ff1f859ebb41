"""JPEG quality from quantisation tables, and re-encoding so that an image's container tells nothing about it."""

import io
import re
from functools import cache, lru_cache
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from . import header

GRID = 16  # px, the coding unit of a JPEG with halved chroma: cuts on it keep the block phase
SUBSAMPLINGS = (0, 1, 2)  # 4:4:4, 4:2:2, 4:2:0: what the encoder can write
WEBP_QUALITY = 80  # ours: a lossy WebP does not tell the quality it was made with


@cache
def _ladder() -> np.ndarray:
    """libjpeg's luminance and chrominance tables at quality 1..100, int [100, 2, 64]."""
    files = (io.BytesIO(encode(np.zeros((8, 8, 3), np.uint8), quality)) for quality in range(1, 101))
    return np.array([list(Image.open(file).quantization.values()) for file in files])


def component_tables(image: Any) -> list[list[int]]:
    """The quantisation table (64 integers, row by row) of every colour component of an opened JPEG."""
    return [list(image.quantization[layer[3]]) for layer in image.layer]


def quality(image: Image.Image) -> float:
    """The libjpeg quality 1..100 whose standard tables are nearest to those of an opened JPEG."""
    return _nearest(*map(tuple, component_tables(image)[:2]))


@lru_cache(1000)  # few tables occur, each in many files
def _nearest(*tables: tuple[int, ...]) -> float:
    distance = np.abs(_ladder()[:, : len(tables)] - np.array(tables)).sum((1, 2))
    # libjpeg clips tables at both ends of the scale: among equals the highest quality is the usual one
    return float(100 - np.argmin(distance[::-1]))


def encode(rgb: np.ndarray, quality: float) -> bytes:
    """JPEG of uint8 [H, W, 3] at a libjpeg quality 1..100, standard tables, 4:2:0."""
    return _saved(Image.fromarray(rgb), "JPEG", quality=int(quality))


def png(rgb: np.ndarray) -> bytes:
    """PNG of uint8 [H, W, 3]."""
    return _saved(Image.fromarray(rgb), "PNG", compress_level=1)  # three times as fast, a sixth larger


def _saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def like(original: bytes, rgb: np.ndarray) -> bytes:
    """Encode uint8 [H, W, 3] the way `original` was: own quantisation tables and chroma subsampling for a
    JPEG (grey stays grey), lossless or lossy WebP, PNG for any other format. No metadata is carried over.
    Raises Unreadable.
    """
    with header.opened(original) as image:
        form = header.named_format(image)
        if form == "JPEG":
            return _jpeg_like(image, Image.fromarray(rgb))
    if form == "WEBP":
        options = {"lossless": True} if _is_lossless(original) else {"quality": WEBP_QUALITY}
        return _saved(Image.fromarray(rgb), "WEBP", **options)
    return png(rgb)


def _jpeg_like(image: Image.Image, copy: Image.Image) -> bytes:
    tables = component_tables(image)
    if len(tables) == 1:
        return _saved(copy.convert("L"), "JPEG", qtables=tables)
    tables = tables[:2] if tables[1] == tables[2] else tables[:3]
    sampling = JpegImagePlugin.get_sampling(image)
    return _saved(copy, "JPEG", qtables=tables, subsampling=sampling if sampling in SUBSAMPLINGS else 2)


def reproducible(original: bytes) -> bool:
    """Whether `like` writes the same container as the original's, so that the original can stay as it is.

    False for rotated, transparent, CMYK or unusually subsampled files, for lossy WebP and for formats other
    than JPEG, PNG and WebP: there both members of a pair have to be written anew.
    """
    with header.opened(original) as image:
        form = header.named_format(image)
        if header.orientation(image) != 1 or image.has_transparency_data or image.mode not in ("L", "RGB"):
            return False
        if form == "JPEG":
            stored_as_rgb = image.info.get("adobe_transform") == 0
            usual = not stored_as_rgb and JpegImagePlugin.get_sampling(image) in SUBSAMPLINGS
            return image.mode == "L" or usual
        animated = getattr(image, "n_frames", 1) > 1
        plain = form == "PNG" or form == "WEBP" and _is_lossless(original)
        return image.mode == "RGB" and plain and not animated


def _is_lossless(webp: bytes) -> bool:
    return re.findall(rb"VP8[ L]", webp[12:])[:1] == [b"VP8L"]
