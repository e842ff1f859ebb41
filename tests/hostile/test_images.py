"""Damaged images of every format that is read: decoded, or a reason; never a crash, a hang or gigabytes."""

import io

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from aligngemini.images import decode, header
from tests.hostile import examples

LIMIT = 2_000_000  # pixels here, so that a head of many gigapixels is told from one that is allowed
OPTIONS = {
    "JPEG": [{}, {"progressive": True}, {"quality": 100, "subsampling": 0, "comment": b"x"}],
    "PNG": [{}, {"save_all": True}],
    "WEBP": [{}, {"lossless": True}, {"save_all": True}],
    "GIF": [{}, {"save_all": True}],
    "BMP": [{}],
    "TIFF": [{}, *({"compression": name} for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"))],
    "AVIF": [{}],
    "HEIF": [{}],
    "JPEG2000": [{}, {"no_jp2": True}],
    "PPM": [{}],
}
MODES = {
    "JPEG": ["RGB", "L", "CMYK"],
    "PNG": ["RGB", "RGBA", "L", "LA", "P", "I;16", "1"],
    "GIF": ["P"],
    "BMP": ["RGB", "P"],
}
MODES |= {"TIFF": ["RGB", "L"], "PPM": ["RGB", "L", "1", "I;16"], "WEBP": ["RGB", "RGBA"], "JPEG2000": ["RGB", "RGBA"]}


def _originals() -> list[bytes]:
    """A valid file of each format, way of packing and kind of pixels, with an orientation where it can have one."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 12, 20, 3), np.uint8)
    exif, files = Image.Exif(), []
    exif[0x0112] = 6
    for form, ways in OPTIONS.items():
        for mode in MODES.get(form, ["RGB"]):
            one, other = (Image.fromarray(each).convert(mode if mode != "I;16" else "L") for each in noise)
            one = one.convert("I").convert("I;16") if mode == "I;16" else one
            for way in ways:
                more = {"append_images": [other]} if "save_all" in way and mode != "I;16" else {}
                extra = {"exif": exif} if form in ("JPEG", "PNG", "WEBP", "HEIF", "AVIF") else {}
                file = io.BytesIO()
                one.save(file, form, **way, **more, **extra)
                files.append(file.getvalue())
    return files


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch):
    monkeypatch.setattr(header, "LIMIT", LIMIT)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", LIMIT)


def test_every_original_is_an_image_before_it_is_damaged():
    assert {decode.read(data).rgb.shape for data in _originals()} <= {(12, 20, 3), (20, 12, 3)}
    assert {header.kind(data[:512]) for data in _originals()} == set(header.FORMATS)


@pytest.mark.filterwarnings("ignore")
@examples.tried(200)
@given(data=examples.damaged(_originals()))
def test_a_damaged_image_is_decoded_or_has_a_reason(tmp_path, data):
    path = tmp_path / "image"
    path.write_bytes(data)
    with examples.bounded():
        facts, image = decode.identify(path), _read(data)
    assert "\n" not in facts["reason"]
    if image is None:
        return
    assert image.rgb.dtype == np.uint8 and image.rgb.shape == (image.height, image.width, 3)
    assert image.width * image.height <= LIMIT
    assert facts["reason"] or (facts["width"], facts["height"], facts["format"]) == (
        image.width, image.height, image.format,
    )  # fmt: skip


def _read(data: bytes) -> decode.Decoded | None:
    """The image, or None where there is a reason, in one line, why it is none."""
    try:
        return decode.read(data)
    except decode.Unreadable as error:
        assert str(error) and "\n" not in str(error)
        return None
