"""How many pixels of an image a model sees: set in its processor, and no more are carried around."""

import sys
from math import isqrt
from typing import Any

import numpy as np
from PIL import Image

from aligngemini.images import aspect
from aligngemini.images.header import Unreadable

SMALL = 256 * 256  # pixels; images up to this stay as they are, for any model
FAR = 4  # times the pixels that the model sees; only larger images are reduced here, so that others stay as they are


def limit(images, max_pixels: int) -> None:
    """Let an image processor shrink images to at most `max_pixels`, as it knows how.

    Those of the Qwen family keep the shape of an image; others cut it into square tiles, of which it gets fewer, at
    least one. What shows every image at one size stays as it is.
    """
    if hasattr(images, "merge_size"):
        images.size = {"shortest_edge": unit(images) ** 2, "longest_edge": max_pixels}
    elif tile := getattr(images, "max_image_size", None):
        side = max(1, isqrt(max_pixels) // tile["longest_edge"]) * tile["longest_edge"]
        images.size = {"longest_edge": min(images.size["longest_edge"], side)}
    elif hasattr(images, "max_patches"):
        tiles = max_pixels // (images.size["height"] * images.size["width"])
        images.max_patches = min(images.max_patches, max(1, tiles))


def unit(images) -> int:
    """Side in pixels of the square that becomes one token, of a processor of the Qwen family."""
    return images.patch_size * images.merge_size


def most(images) -> int:
    """The largest number of pixels that an image processor shows of one image, where it cuts it into tiles."""
    size = dict(images.size or {})  # Gemma 4 has none
    area = size.get("longest_edge", 0) ** 2 or size.get("height", 0) * size.get("width", 0)
    return area * getattr(images, "max_patches", 1) or sys.maxsize


def look(vlm: Any, image: Image.Image | np.ndarray) -> Image.Image:
    """A PIL image, or uint8 [H, W, 3], as a PIL image of at most about FAR times the pixels that the model sees.

    `vlm` is a `load.VLM`. For the Qwen family the image is resized as the processor does it, with the same filter to
    the same size, so that none is larger in memory than it is seen. Raises Unreadable if the image is too long.
    """
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if why := aspect.reason(image.width, image.height):
        raise Unreadable(why)
    if image.width * image.height <= SMALL:
        return image
    images = vlm.processor.image_processor
    if not hasattr(images, "merge_size"):
        return _reduced(image, image.width * image.height / most(images))
    return _resized(images, image)


def _resized(images, image: Image.Image) -> Image.Image:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    rules = unit(images), images.size["shortest_edge"], images.size["longest_edge"]
    height, width = smart_resize(image.height, image.width, *rules)
    excess = image.width * image.height / (width * height)
    if excess > FAR and smart_resize(height, width, *rules) == (height, width):
        return image.resize((width, height), images.resample)
    return _reduced(image, excess)  # a strip so thin that it is resized once more


def _reduced(image: Image.Image, excess: float) -> Image.Image:
    return image if excess <= FAR else image.reduce(int((excess / FAR) ** 0.5) + 1)
