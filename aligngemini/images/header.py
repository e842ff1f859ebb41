"""Open a file as an image by its bytes alone, within a size limit, or say in words why it cannot be."""

import io
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .kinds import kind

__all__ = ["LIMIT", "Unreadable", "contents", "kind", "named_format", "opened", "orientation"]

LIMIT = 256_000_000  # pixels; a larger image is refused before its pixels are unpacked
ORIENTATION = 0x0112

Image.init()
# Formats whose decoders are plain code: no EPS, which would start Ghostscript on a stranger's file.
FORMATS = [
    f for f in ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM") if f in Image.OPEN
]


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
    except UnidentifiedImageError as error:
        raise Unreadable("not an image of a known format") from error
    except MemoryError as error:
        raise Unreadable("too large for the memory of this machine") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, zlib.error, KeyError ...
        raise Unreadable(f"{what} ({error})") from error


def contents(source: str | Path | bytes) -> bytes:
    """The bytes behind a path (or the bytes themselves); Unreadable if no regular file can be read there."""
    if isinstance(source, bytes):
        data = source
    else:
        _regular(Path(source))
        with _words_for_files():
            data = Path(source).read_bytes()
    if not data:
        raise Unreadable("the file is empty")
    return data


def _regular(path: Path) -> None:
    with _words_for_files():
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise Unreadable("a folder, not a file")
    if not stat.S_ISREG(mode):
        raise Unreadable("not a regular file")


@contextmanager
def _words_for_files() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Unreadable("the file is not there (any more)") from error
    except PermissionError as error:
        raise Unreadable("no permission to read the file") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise Unreadable(f"the file cannot be read ({getattr(error, 'strerror', None) or error})") from error


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Yield a Pillow image of `data` on its first frame; errors inside the block become Unreadable too."""
    with (
        _raised_limit(),
        _words_for_errors("cut short or damaged"),
        Image.open(io.BytesIO(data), formats=FORMATS) as image,
    ):
        if image.width * image.height > LIMIT:
            raise Unreadable(f"larger than {LIMIT // 1_000_000} megapixels")
        yield image


def orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8; 1 where there is none or it makes no sense."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def named_format(image: Image.Image) -> str:
    """Pillow's format name; MPO, a JPEG with more pictures behind it, counts as JPEG."""
    return "JPEG" if image.format == "MPO" else str(image.format)
