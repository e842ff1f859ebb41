"""Open the bytes of a file as an image, within a size limit, or say in words why they cannot be one."""

import errno
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL
import pillow_heif
from PIL import ExifTags, Image, TiffImagePlugin

from aligngemini.core import reading

from .filenames import true

LIMIT = 256_000_000  # pixels; a larger image is refused before its pixels are unpacked
TOO_LARGE = f"larger than {LIMIT // 1_000_000} megapixels"
CODECS = f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}"
# How files begin, as regular expressions: images that are read, other files, what a server sends in their place.
FORMATS, OTHERS, PAGES = (
    {name: start.encode() for name, start in starts.items()} for starts in reading.beside(__file__).values()
)
CODESTREAM = re.compile(rb"\xff\x4f\xff\x51.{36}(..)(.)", re.DOTALL)  # of a JPEG 2000: number of channels, bits
NO_FILES = {
    errno.ENOENT: "the file is not there (any more)",
    errno.EISDIR: "a folder, not a file",
    errno.EINVAL: "not a regular file",
}

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
Image.MAX_IMAGE_PIXELS = LIMIT


class Unreadable(ValueError):
    """The file cannot serve as an image; the text is the reason, fit for the `reason` column."""


def contents(source: str | Path | bytes) -> bytes:
    """The bytes behind a path (or the bytes themselves); Unreadable if no regular file can be read there."""
    if source == "":
        raise Unreadable("its row names no file")
    try:
        data = source if isinstance(source, bytes) else reading.start(true(source), -1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why = f"the file cannot be read ({getattr(error, 'strerror', None) or error})"
        raise Unreadable(NO_FILES.get(getattr(error, "errno", 0), why)) from error
    if not data:
        raise Unreadable("the file is empty")
    return data


def kind(head: bytes) -> str:
    """The name in FORMATS, OTHERS or PAGES that the first 512 bytes of a file announce; "" for none of these."""
    patterns = (FORMATS | OTHERS | PAGES).items()
    return next((name for name, pattern in patterns if re.match(pattern, head, re.DOTALL)), "")


@contextmanager
def limited(what: str = "cut short or damaged") -> Iterator[None]:
    """Turn whatever Pillow raises into Unreadable: `what` with the details, or that the image is too large."""
    try:
        yield
    except Unreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise Unreadable(f"{TOO_LARGE}, or than the memory of this machine") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, zlib.error, KeyError ...
        raise Unreadable(f"{what} ({' '.join(str(error).split())})") from error


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Yield a Pillow image of `data` on its first frame; errors inside the block become Unreadable too."""
    with limited():
        if data.startswith(b"\x89PNG"):
            _identified(data).verify()  # only here Pillow looks at the checksums of pixels
        with _identified(data) as image:
            check(image)
            if image.format == "JPEG2000" and _deep_colours(data):
                raise Unreadable("a JPEG 2000 of more than 8 bits a colour, which is not read here")
            if image.format == "PNG" and "exif" not in image.info and b"eXIf" in data:
                image.load()  # it may stand behind the pixels
            yield image


def _identified(data: bytes) -> Image.Image:
    name = kind(data[:512])
    if name in OTHERS:
        raise Unreadable(f"not an image in a format that can be read ({name})")
    if name not in FORMATS:
        raise Unreadable("not an image of a known format")
    try:
        return Image.open(io.BytesIO(data), formats=["HEIF" if name == "HEIC" else name])
    except PIL.UnidentifiedImageError as error:
        raise Unreadable(f"damaged, or a {name} of an unusual kind") from error


def check(image: Image.Image) -> None:
    """Refuse an opened image, before its pixels are unpacked, for what is known by then. Raises Unreadable."""
    if not image.width * image.height:
        raise Unreadable("it has no pixels")
    if image.width * image.height > LIMIT:
        raise Unreadable(TOO_LARGE)
    if image.mode == "F":
        raise Unreadable("floating-point pixels without a known white")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
    tiles = getattr(image, "tile", None)
    if "transparency" in image.info and tiles and tiles[0].args in ("L;2", "L;4", "RGB;16B"):
        raise Unreadable("a colour key of 2, 4 or 16 bits, which is not read here: save it with an alpha channel")


def _check_tiff(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse a TIFF out of which Pillow reads other pixels than its tags say."""
    tags = image.tag_v2
    bits, coarse = max(tags.get(258, (1,))), tags.get(262) == 6 and tags.get(530, (2, 2)) != (1, 1)
    if 50706 in tags or 330 in tags and tags.get(254) == 1:  # DNG version; inner images beside a reduced one
        raise Unreadable("a camera's raw file, of which a preview alone could be read")
    if bits > 16 or {2, 3} & {*tags.get(339, ())}:
        raise Unreadable("signed, floating-point or 32-bit pixels without a known white")
    if not image.use_load_libtiff and (bits == 16 and tags.get(284) == 2 or coarse):
        raise Unreadable("an uncompressed TIFF with 16-bit planes or coarse YCbCr colours, which is not read here")


def _deep_colours(jpeg2000: bytes) -> bool:
    """Whether colours have more than 8 bits: Pillow turns their whites into black."""
    found = CODESTREAM.search(jpeg2000)
    return bool(found) and int.from_bytes(found[1]) > 1 and found[2][0] % 128 > 7


def orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8 that Pillow leaves to be applied; 1 where there is none or it makes no sense."""
    if image.format in ("HEIF", "TIFF"):  # turned when they are loaded
        return 1
    value: Any = exif(image).get(ExifTags.Base.Orientation)
    return value if value in range(1, 9) else 1


def exif(image: Image.Image) -> Image.Exif:
    """The EXIF fields of an opened image; none where they are too damaged to be read."""
    try:
        return Image.Image.getexif(image)  # a PNG's own getexif would load its pixels
    except Exception:  # SyntaxError, struct.error ...
        return Image.Exif()


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF rotation."""
    width, height = image.size
    return (width, height) if orientation(image) < 5 else (height, width)


def named_format(image: Image.Image) -> str:
    """Pillow's format name, but JPEG also for one with more images behind it, and HEIC as people say."""
    name = str(image.format)
    return {"MPO": "JPEG", "HEIF": "HEIC"}.get(name, name)
