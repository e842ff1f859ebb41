"""Containers: quality is read from tables, and a re-encoded picture carries its original's."""

import io

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from aligngemini.images import decode, jpeg


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("quality", [1, 5, 25, 49, 50, 51, 75, 90, 96, 99, 100])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_quality_of_standard_tables_is_exact(picture, saved, quality, mode):
    data = saved(Image.fromarray(picture()).convert(mode), "JPEG", quality=quality)
    assert decode.read(data).jpeg_quality == quality


def test_quality_of_custom_tables_is_the_nearest(picture, saved):
    tables = [
        [min(255, v + (i % 3)) for i, v in enumerate(t)]
        for t in opened(jpeg.encode(picture(), 80)).quantization.values()
    ]
    assert 74 <= decode.read(saved(picture(), "JPEG", qtables=tables)).jpeg_quality <= 84
    assert decode.read(saved(picture(), "JPEG", qtables=[[1] * 64])).jpeg_quality == 100


def strange_tables() -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(1, 90, 64).tolist() for _ in range(3)]


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("progressive", [False, True])
def test_like_keeps_tables_and_subsampling(picture, saved, subsampling, count, progressive):
    options = {"qtables": strange_tables()[:count], "subsampling": subsampling, "progressive": progressive}
    original = saved(picture(), "JPEG", **options)
    again = jpeg.like(original, picture(seed=1))
    one, other = opened(original), opened(again)
    assert jpeg.component_tables(one) == jpeg.component_tables(other)
    assert JpegImagePlugin.get_sampling(other) == subsampling and other.size == one.size
    assert jpeg.reproducible(original)


def test_like_drops_metadata_and_keeps_pixels(picture, saved, rotated_exif):
    original = saved(picture(), "JPEG", quality=92, subsampling=0, exif=rotated_exif(1), comment="mine")
    rgb = decode.read(original).rgb
    again = jpeg.like(original, rgb)
    assert not opened(again).getexif() and "comment" not in opened(again).info
    assert np.abs(decode.read(again).rgb.astype(int) - rgb).mean() < 0.7  # same grid, same tables: hardly a loss


def test_like_keeps_grey_grey(picture, saved):
    original = saved(Image.fromarray(picture()).convert("L"), "JPEG", quality=70)
    assert opened(jpeg.like(original, picture())).mode == "L" and jpeg.reproducible(original)


def test_like_for_other_formats(picture, saved):
    for form, written in {"PNG": "PNG", "GIF": "PNG", "BMP": "PNG", "TIFF": "PNG"}.items():
        original = saved(picture(), form)
        assert opened(jpeg.like(original, picture())).format == written
        assert jpeg.reproducible(original) == (form == "PNG")
    lossless, lossy = saved(picture(), "WEBP", lossless=True), saved(picture(), "WEBP", quality=50)
    assert (decode.read(jpeg.like(lossless, picture())).rgb == picture()).all() and jpeg.reproducible(lossless)
    assert not (decode.read(jpeg.like(lossy, picture())).rgb == picture()).all() and not jpeg.reproducible(lossy)


def test_what_cannot_be_written_again_is_known(picture, saved, rotated_exif):
    rgb = Image.fromarray(picture())
    assert not jpeg.reproducible(saved(rgb, "JPEG", exif=rotated_exif(6)))
    assert not jpeg.reproducible(saved(rgb.convert("CMYK"), "JPEG"))
    assert not jpeg.reproducible(saved(rgb.convert("RGBA"), "PNG"))
    assert not jpeg.reproducible(saved(rgb, "JPEG", keep_rgb=True))
    assert not jpeg.reproducible(saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)]))


def test_encode_writes_at_the_quality_asked(picture):
    assert [decode.read(jpeg.encode(picture(), q)).jpeg_quality for q in (30, 95.0)] == [30, 95]
