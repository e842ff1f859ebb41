"""Where Pillow reads other pixels out of a TIFF than its tags say: put right, or refused with the reason."""

import io
from functools import cache

from PIL import Image, ImageFile

# Tags, named as in the standard.
SUBFILE, WIDTH, LENGTH, BITS, PHOTOMETRIC, ORIENTATION = 254, 256, 257, 258, 262, 274
PLANAR, SUB_IFDS, SAMPLE_FORMAT, YCBCR_SUBSAMPLING, DNG_VERSION = 284, 330, 339, 530, 50706
OPTIONAL = ("webp", "zstd", "lzma")  # methods that libtiff may be built without
NO_WHITE = "floating-point pixels without a known white"
WHITE_IS_ZERO, YCBCR, APART, SIGNED, FLOAT = 0, 6, 2, 2, 3


def refusal(image: Image.Image) -> str:
    """Why an opened TIFF has no pixels of a known meaning; "" for a good one."""
    tags = image.tag_v2
    if DNG_VERSION in tags or SUB_IFDS in tags and tags.get(SUBFILE) == 1:
        return "a camera's raw file, of which a preview alone could be read"
    if FLOAT in tags.get(SAMPLE_FORMAT, ()):
        return NO_WHITE
    if SIGNED in tags.get(SAMPLE_FORMAT, ()):
        return "signed pixels without a known black"
    if image.mode in ("LA", "La", "PA") and tags.get(PLANAR) == APART:
        return "grey and transparency in planes of their own, which are not read here"
    if _misread(image) and not image.tile:
        return "already loaded in a way that mixes up its planes: give the file instead"
    if image.info.get("compression") in OPTIONAL and not _supported(image.info["compression"]):
        return f"a TIFF compressed by {image.info['compression']}, for which this Pillow is not built"
    return "32-bit pixels without a known white" if bits(image) > 16 else ""


@cache
def _supported(compression: str) -> bool:
    """What libtiff can read it can write."""
    try:
        Image.new("RGB", (8, 8)).save(io.BytesIO(), "TIFF", compression=compression)
    except OSError:
        return False
    return True


def bits(image: Image.Image) -> int:
    """Bits of a sample in an opened TIFF."""
    return max(image.tag_v2.get(BITS, (1,)))


def white_is_zero(image: Image.Image) -> bool:
    """Whether grey is stored inverted."""
    return image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO


def orientation(image: Image.Image) -> int:
    """The orientation 1..8, whatever kind of number it is stored as; 1 where it makes no sense, and once loaded."""
    value = image.tag_v2.get(ORIENTATION, 1)
    value = value[0] if isinstance(value, bytes | tuple) and value else value
    return int(value) if not isinstance(value, str) and value in range(1, 9) else 1


def turned_by_pillow(image: Image.Image) -> bool:
    """Whether the orientation is a plain number: then Pillow's size is upright, and its pixels are once loaded."""
    return isinstance(image.tag_v2.get(ORIENTATION, 1), int)


def use_libtiff(image: Image.Image) -> None:
    """Have libtiff read what Pillow's own reader of uncompressed files takes for something else."""
    if _misread(image):
        tags, coarse = image.tag_v2, image.tag_v2.get(PHOTOMETRIC) == YCBCR
        image._mode = "RGB" if coarse else image.mode
        how = ("RGBX" if coarse else f"{image.mode};16N", False, tags.offset)
        image.tile = [ImageFile._Tile("libtiff", (0, 0, tags[WIDTH], tags[LENGTH]), 0, how)]
        image.use_load_libtiff = True


def _misread(image: Image.Image) -> bool:
    """Planes of 16 bits, or colour at a lower resolution than brightness, without compression."""
    tags = image.tag_v2
    planes = tags.get(PLANAR) == APART and bits(image) == 16
    coarse = tags.get(PHOTOMETRIC) == YCBCR and tags.get(YCBCR_SUBSAMPLING, (2, 2)) != (1, 1)
    return not image.use_load_libtiff and (planes or coarse)
