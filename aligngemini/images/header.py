"""Open a file as an image by its bytes alone, within a size limit, or say in words why it cannot be."""

import errno
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import PIL
from PIL import Image, ImageFile

from aligngemini.core import reading

from . import exif, segments, tiff
from .filenames import true
from .kinds import TEXTS, kind

try:
    import pillow_heif
except ImportError:  # every other format is read without it
    pillow_heif = None

__all__ = ["LIMIT", "Unreadable", "contents", "kind", "named_format", "opened", "orientation"]

LIMIT = 256_000_000  # pixels; a larger image is refused before its pixels are unpacked
CODECS = f"Pillow {PIL.__version__}, pillow-heif {pillow_heif and pillow_heif.__version__}"

Image.init()
if pillow_heif:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Formats whose decoders are plain code: no EPS, which would start Ghostscript on a stranger's file.
PLUGINS = {name: name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")}
PLUGINS["HEIC"] = "HEIF"
NO_FILES = {
    errno.ENOENT: "the file is not there (any more)",
    errno.EISDIR: "a folder, not a file",
    errno.EACCES: "no permission to read the file",
    errno.EPERM: "no permission to read the file",
    errno.EINVAL: "not a regular file",
    errno.ENXIO: "not a regular file",  # a socket
}
NEEDS = {"HEIC": "pillow-heif", "AVIF": "a Pillow with AVIF"}


class Unreadable(ValueError):
    """The file cannot serve as an image; the text is the reason, fit for the `reason` column."""


_lock = threading.Lock()
_users: list[int | None] = []  # Pillow's own limit, once per thread that has raised it


@contextmanager
def _raised_limit() -> Iterator[None]:
    """Let Pillow accept images up to LIMIT; the last thread to leave gives its own limit back."""
    with _lock:
        _users.append(_users[0] if _users else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = LIMIT
    try:
        yield
    finally:
        with _lock:
            Image.MAX_IMAGE_PIXELS = _users.pop()
            if _users:
                Image.MAX_IMAGE_PIXELS = LIMIT


@contextmanager
def _words_for_errors(what: str) -> Iterator[None]:
    """Turn whatever a decoder throws at hostile bytes into Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"larger than {LIMIT // 1_000_000} megapixels") from error
    except MemoryError as error:
        raise Unreadable("too large for the memory of this machine") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, zlib.error, KeyError ...
        raise Unreadable(f"{what} ({' '.join(str(error).split())})") from error


def contents(source: str | Path | bytes) -> bytes:
    """The bytes behind a path (or the bytes themselves); Unreadable if no regular file can be read there."""
    try:
        data = source if isinstance(source, bytes) else reading.start(true(source), -1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why = getattr(error, "strerror", None) or error
        raise Unreadable(NO_FILES.get(getattr(error, "errno", 0), f"the file cannot be read ({why})")) from error
    if not data:
        raise Unreadable("the file is empty")
    return data


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Yield a Pillow image of `data` on its first frame; errors inside the block become Unreadable too.

    What a PNG or JPEG carries beside its pixels is left behind, but for EXIF and the number of pictures in `info`.
    """
    form = kind(data[:512])
    plugin, reader = _plugin(form), segments.READERS.get(form)
    with limited("cut short or damaged"):
        parts = reader(data) if reader else segments.Parts(data)
        if parts.reason:
            raise Unreadable(parts.reason)
        with _headed(plugin, parts.data, form) as image:
            image.info |= {"exif": parts.exif, "frames": parts.frames} if reader else {}
            check(image)
            if form == "PNG" and segments.has_wide_key(image):
                segments.apply_wide_key(image, parts.data)
            yield image


def _plugin(form: str):
    """Pillow's reader of a format; Unreadable if there is none."""
    if form in ("", *TEXTS):
        raise Unreadable("not an image of a known format")
    if form not in PLUGINS:
        raise Unreadable(f"not an image in a format that can be read ({form})")
    if PLUGINS[form] not in Image.OPEN:
        raise Unreadable(f"{form} needs {NEEDS.get(form, 'another Pillow')}, which is not installed")
    return Image.OPEN[PLUGINS[form]][0]


def _headed(plugin, data: bytes, form: str) -> Image.Image:
    """The image as its head tells; Pillow raises SyntaxError for a head that it makes no sense of."""
    try:
        return plugin(io.BytesIO(data), "")
    except (SyntaxError, ValueError) as error:
        if form == "AVIF" and (rest := segments.without_exif(data)) != data:
            return _headed(plugin, rest, form)
        if form == "TIFF" and exif.fields(data).get(tiff.SAMPLE_FORMAT) == tiff.FLOAT:
            raise Unreadable(tiff.NO_WHITE) from error
        raise Unreadable(f"damaged, or a {form} of an unusual kind ({error})") from error


@contextmanager
def limited(what: str) -> Iterator[None]:
    """Around anything that Pillow unpacks: our limit on size, and `what` with the details for its errors."""
    with _raised_limit(), _words_for_errors(what):
        yield


def check(image: Image.Image) -> None:
    """Refuse an opened image, before its pixels are unpacked, for what is known by then. Raises Unreadable."""
    if not image.width * image.height:
        raise Unreadable("it has no pixels")
    if image.width * image.height > LIMIT:
        raise Unreadable(f"larger than {LIMIT // 1_000_000} megapixels")
    if image.mode == "F":
        raise Unreadable(tiff.NO_WHITE)
    if _is_tiff(image):
        if reason := tiff.refusal(image):
            raise Unreadable(reason)
        tiff.use_libtiff(image)


def unloaded(image) -> bytes:
    """The file of a PIL image whose first frame is not unpacked yet, of a format that can be read; b"" for none.

    The file says more than what Pillow makes of it.
    """
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or image.tell() or image.decoderconfig:
        return b""
    with suppress(AttributeError, OSError, ValueError):  # closed, or not from a file
        at = image.fp.tell()
        image.fp.seek(0)
        data = image.fp.read()
        image.fp.seek(at)
        return data if kind(data[:512]) == named_format(image) in PLUGINS else b""
    return b""


def _is_tiff(image: Image.Image) -> bool:
    return hasattr(image, "tag_v2")


def orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8; 1 where there is none or it makes no sense."""
    if image.format == "HEIF":  # its own boxes tell, and libheif has followed them
        return 1
    block = image.info.get("exif") or segments.from_digits(str(image.info.get(segments.RAW_PROFILE, "")))
    return tiff.orientation(image) if _is_tiff(image) else exif.orientation(block if isinstance(block, bytes) else b"")


def turn(image: Image.Image) -> int:
    """The orientation that Pillow will not apply by itself when it loads the pixels."""
    return 1 if _is_tiff(image) and tiff.turned_by_pillow(image) else orientation(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF rotation."""
    return image.size if turn(image) < 5 else image.size[::-1]


def frames(image: Image.Image) -> int:
    """The number of pictures in a file."""
    return max(image.info.get("frames", 1), getattr(image, "n_frames", 1))


def named_format(image: Image.Image) -> str:
    """Pillow's format name, but JPEG also for one with more pictures behind it, and HEIC as people say."""
    return {"MPO": "JPEG", "HEIF": "HEIC"}.get(image.format, str(image.format))
