"""Read any image file into upright 8-bit RGB, or say why not."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from . import jpeg
from .header import LIMIT, Unreadable, contents, named_format, opened, orientation

__all__ = ["LIMIT", "Decoded", "Unreadable", "identify", "read"]


@dataclass(frozen=True)
class Decoded:
    """An upright image: rgb uint8 [H, W, 3] (of the window, if one was asked for) and facts on the file.

    width and height are those of the whole upright image; jpeg_quality is NaN for other formats; notes tell
    what was done to the pixels besides decoding.
    """

    rgb: np.ndarray
    format: str
    jpeg_quality: float
    width: int
    height: int
    notes: tuple[str, ...]


def read(source: str | Path | bytes, window: tuple[int, int, int, int] | None = None) -> Decoded:
    """Decode a path or bytes; `window` is (left, top, right, bottom) in upright pixels.

    EXIF rotation is applied, transparency is laid on white, 16 bits are scaled to 8, of several frames the
    first is taken, colour profiles are left alone. Raises Unreadable with the reason.
    """
    with opened(contents(source)) as image:
        form, quality = named_format(image), _quality(image)
        notes = _notes(image)
        image.load()
        upright = ImageOps.exif_transpose(image) if orientation(image) != 1 else image
        size = upright.size
        rgb = _rgb(_cut(upright, window))
    return Decoded(rgb, form, quality, *size, notes)


NOTHING = {"image_id": "", "format": "", "width": 0, "height": 0, "reason": ""}  # known of a file that was not read


def identify(path: str | Path) -> dict:
    """Table facts from the header: image_id (SHA-256), format, jpeg_quality, width, height, reason.

    reason is "" or why the file cannot be an image; image_id is "" where not even the bytes could be read.
    """
    row = NOTHING | {"jpeg_quality": math.nan}
    try:
        data = contents(path)
        row["image_id"] = hashlib.sha256(data).hexdigest()
        with opened(data) as image:
            width, height = image.size if orientation(image) < 5 else image.size[::-1]
            row |= {
                "format": named_format(image),
                "jpeg_quality": _quality(image),
                "width": width,
                "height": height,
            }
    except Unreadable as error:
        row["reason"] = str(error)
    return row


def _quality(image: Image.Image) -> float:
    return jpeg.quality(image) if named_format(image) == "JPEG" else math.nan


def _notes(image: Image.Image) -> tuple[str, ...]:
    frames = getattr(image, "n_frames", 1)
    said = {
        "rotated as EXIF asks": orientation(image) != 1,
        f"first of {frames} frames": frames > 1,
        "transparency laid on white": image.has_transparency_data,
        "16 bits scaled to 8": image.mode.startswith("I"),
        f"converted from {image.mode}": image.mode in ("CMYK", "YCbCr", "LAB", "HSV"),
    }
    return tuple(text for text, is_so in said.items() if is_so)


def _cut(image: Image.Image, window: tuple[int, int, int, int] | None) -> Image.Image:
    if window is None:
        return image
    left, top, right, bottom = window
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise Unreadable(f"window {window} does not lie inside {image.width} x {image.height}")
    return image.crop(window)


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise Unreadable("floating-point pixels without a known white")
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image))
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return np.array(image.convert("RGB"))


def _from_16_bits(grey: np.ndarray) -> np.ndarray:
    if grey.min() < 0 or grey.max() > 65535:
        raise Unreadable("32-bit pixels without a known white")
    eight = ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(eight[..., None], 3, axis=2)
