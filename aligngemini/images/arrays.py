"""Arrays and tensors as images: which axis holds the channels, and which number is white."""

import numpy as np
from PIL import Image

from .header import LIMIT, Unreadable

CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, RGB, RGB and alpha


def as_image(values) -> Image.Image:
    """An 8-bit PIL image (L, LA, RGB or RGBA) of an array or tensor [H, W], [H, W, C] or [C, H, W], C in 1..4.

    White is 255 for uint8, 65535 for uint16, True for bool, and 1 for floats, which must lie in 0..1. Raises
    Unreadable for other numbers, for shapes in which the first as well as the last axis may hold the channels, and
    for what is no array.
    """
    array = _array(values)
    if array.ndim not in (2, 3):
        raise Unreadable(f"an array of {array.ndim} axes, not 2 or 3: give each image of a batch by itself")
    if not array.size:
        raise Unreadable("it has no pixels")
    if array.size > LIMIT * max(CHANNELS):
        raise Unreadable(f"larger than {LIMIT // 1_000_000} megapixels")
    last = array if array.ndim == 2 else _channels_last(array)
    eight = np.ascontiguousarray(_eight_bits(last))
    return Image.fromarray(eight[..., 0] if eight.shape[2:] == (1,) else eight)


def _array(values) -> np.ndarray:
    if not hasattr(values, "__array__"):
        raise Unreadable(f"no image but {type(values).__name__}: give a path, bytes, a PIL image or an array")
    try:
        if hasattr(values, "detach"):  # a torch tensor, wherever it lies
            values = values.detach().cpu()
        return np.asarray(values)
    except Exception as error:  # numbers that NumPy does not have, a sparse tensor, ...
        raise Unreadable(f"an array that cannot be read ({error})") from error


def _channels_last(array: np.ndarray) -> np.ndarray:
    first, last = (array.shape[axis] in CHANNELS for axis in (0, 2))
    shape = " x ".join(map(str, array.shape))
    if first and last:
        raise Unreadable(f"the first or the last axis of {shape} may hold the channels")
    if not first and not last:
        raise Unreadable(f"no axis of {shape} holds 1 to 4 channels")
    return np.moveaxis(array, 0, 2) if first else array


def _eight_bits(array: np.ndarray) -> np.ndarray:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size == 1:
        return array
    if kind == "b":
        return array.astype(np.uint8) * 255
    if kind == "u" and size == 2 and 0 < array.max() <= 255:
        raise Unreadable("uint16 pixels of 255 at most: 8 bits in a wide type, or nearly black? Give uint8, or a file")
    if kind == "u" and size == 2:  # as of files: Pillow keeps the upper bytes of colours, grey is rounded
        return (array >> 8 if array.shape[2:] > (2,) else (array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if kind != "f":
        raise Unreadable(f"{array.dtype} pixels without a known white: give uint8, uint16, or floats in 0..1")
    if not np.isfinite(array).all():
        raise Unreadable("pixels that are no finite numbers")
    if array.min() < 0 or array.max() > 1:
        raise Unreadable("floating-point pixels outside 0..1, without a known white: scale them, or give uint8")
    return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
