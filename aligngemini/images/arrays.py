"""Arrays and tensors as images: which axis holds the channels, and which number is white."""

import numpy as np
from PIL import Image

from .header import LIMIT, TOO_LARGE, Unreadable

CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, RGB, RGB and alpha


def as_image(values) -> Image.Image:
    """An 8-bit PIL image (L, LA, RGB or RGBA) of an array or tensor [H, W], [H, W, C] or [C, H, W], C in 1..4.

    White is 255 for uint8, 65535 for uint16, True for bool, and 1 for floats, which must lie in 0..1. Raises
    Unreadable for other numbers, for shapes in which the first as well as the last axis may hold the channels, and
    for what is no array.
    """
    array = _array(values)
    if not array.size:
        raise Unreadable("it has no pixels")
    if array.size > LIMIT * max(CHANNELS):
        raise Unreadable(TOO_LARGE)
    eight = np.ascontiguousarray(_eight_bits(_channels_last(array)))
    return Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)


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
    first, last = (array.ndim == 3 and array.shape[axis] in CHANNELS for axis in (0, -1))
    if array.ndim != 2 and first == last:
        shape = " x ".join(map(str, array.shape))
        raise Unreadable(f"an array of {shape}: give one image, with 1 to 4 channels on its first or its last axis")
    return array[..., None] if array.ndim == 2 else np.moveaxis(array, 0, 2) if first else array


def _eight_bits(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind == "f":
        if not ((array >= 0) & (array <= 1)).all():
            raise Unreadable("floating-point pixels outside 0..1, without a known white: scale them, or give uint8")
        return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise Unreadable(f"{array.dtype} pixels without a known white: give uint8, uint16, or floats in 0..1")
    if array.dtype == np.uint8:
        return array
    if 0 < array.max() <= 255:
        raise Unreadable("uint16 pixels of 255 at most: 8 bits in a wide type, or nearly black? Give uint8, or a file")
    # As of files: Pillow keeps the upper bytes of colours, grey is rounded.
    return (array >> 8 if array.shape[2] > 2 else (array.astype(np.uint32) + 128) // 257).astype(np.uint8)
