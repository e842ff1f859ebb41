"""Read any image, a file or an array, into upright 8-bit RGB, or say why not."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from . import header, jpeg
from .header import LIMIT, TOO_LARGE, Unreadable, contents, named_format, opened

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # what makes an EXIF orientation upright
BAND = 256  # rows that are converted at once
CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, RGB, RGB and alpha


@dataclass(frozen=True)
class Decoded:
    """An upright image: rgb uint8 [H, W, 3] (of the window, if one was asked for) and facts on the file.

    width and height are those of the whole upright image; jpeg_quality is NaN for other formats.
    """

    rgb: np.ndarray
    format: str
    jpeg_quality: float
    width: int
    height: int


def read(source: str | Path | bytes, window: tuple[int, int, int, int] | None = None) -> Decoded:
    """Decode a path or bytes; `window` is (left, top, right, bottom) in upright pixels, inside the image.

    EXIF rotation is applied, transparency is laid on white, 16 bits are scaled to 8, of several frames the
    first is taken, colour profiles are left alone. Raises Unreadable with the reason.
    """
    with opened(contents(source)) as image:
        upright = _upright(image)
        part = upright.crop(window) if window else upright
        return Decoded(_rgb(part, image), named_format(image), _quality(image), *upright.size)


def pixels(image) -> np.ndarray:
    """uint8 [H, W, 3] of a path, bytes, a PIL image or an array: the same pixels as `read` gives of the file.

    Of an animated PIL image it is the frame on which it stands. Arrays are as `as_image` takes them. Raises
    Unreadable with the reason, also for anything that is no image.
    """
    if isinstance(image, str | Path | bytes | bytearray | memoryview):
        return read(bytes(image) if isinstance(image, bytearray | memoryview) else image).rgb
    with header.limited("closed, cut short or damaged"):
        image = image if isinstance(image, Image.Image) else as_image(image)
        header.check(image)
        return _rgb(_upright(image), image)


# what identify knows of a file that it could not read
NOTHING = {"image_id": "", "format": "", "jpeg_quality": math.nan, "width": 0, "height": 0, "reason": ""}


def identify(source: str | Path | bytes) -> dict:
    """Facts for the table from a file's header: image_id (SHA-256), format, jpeg_quality, width, height, reason.

    reason is "" or why the file cannot be an image; image_id is "" where not even the bytes could be read.
    """
    row = dict(NOTHING)
    try:
        data = contents(source)
        row["image_id"] = hashlib.sha256(data).hexdigest()
        with opened(data) as image:
            size = dict(zip(("width", "height"), header.upright_size(image), strict=True))
            return row | {"format": named_format(image), "jpeg_quality": _quality(image)} | size
    except Unreadable as error:
        return row | {"reason": str(error)}


def _quality(image: Image.Image) -> float:
    return jpeg.quality(image) if named_format(image) == "JPEG" else math.nan


def _upright(image: Image.Image) -> Image.Image:
    size = image.size
    image.load()
    if image.size != size:
        raise Unreadable("damaged: its head tells another size than its pixels have")
    turn = header.orientation(image)
    image = image.convert("RGB") if _unused_alpha(image) else image
    return image.transpose(UPRIGHT[turn]) if turn > 1 else image


def _unused_alpha(image: Image.Image) -> bool:
    """Whether the fourth channel of a BMP is empty: padding, since nobody stores a picture to be unseen."""
    return image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox()


def _rgb(image: Image.Image, whole: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3] of loaded pixels; `whole` is the opened image that they are of, which knows its file."""
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image), whole)
    # Pillow takes all CMYK for inverted; only Adobe's programs, which leave a marker, store it so.
    plain_inks = image.mode == "CMYK" and named_format(whole) == "JPEG" and "adobe" not in whole.info
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, BAND):  # Pillow would make several copies of the whole
        band = image.crop((0, top, image.width, min(top + BAND, image.height)))
        rgb[top : top + BAND] = np.asarray(_flat(ImageChops.invert(band) if plain_inks else band))
    return rgb


def _flat(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return image.convert("RGB")


def _from_16_bits(grey: np.ndarray, whole: Image.Image) -> np.ndarray:
    if grey.min() < 0 or grey.max() > 65535:
        raise Unreadable("32-bit pixels without a known white")
    tags = getattr(whole, "tag_v2", {})
    white = 2 ** max(tags.get(258, (16,))) - 1  # bits of a sample
    eight = ((grey.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    eight = 255 - eight if tags.get(262) == 0 else eight  # white is zero
    eight[grey == whole.info.get("transparency", -1)] = 255
    return np.repeat(eight[..., None], 3, axis=2)


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
