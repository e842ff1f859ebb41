"""Reading images: whatever is in the file becomes upright RGB, or a reason."""

import math
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from aligngemini.images import decode, header
from aligngemini.images.decode import Unreadable
from tests.images.encoders import png


def reason(source) -> str:
    with pytest.raises(Unreadable) as caught:
        decode.read(source)
    return str(caught.value)


def test_png_comes_back_bit_by_bit(picture, saved):
    rgb = picture()
    read = decode.read(saved(rgb, "PNG"))
    assert (read.rgb == rgb).all() and read.rgb.dtype == np.uint8
    assert (read.format, read.width, read.height) == ("PNG", 48, 32)
    assert math.isnan(read.jpeg_quality)


def test_jpeg_tells_its_quality(picture, saved):
    assert decode.read(saved(picture(), "JPEG", quality=83)).jpeg_quality == 83


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_and_sizes_are_upright(picture, saved, rotated_exif, orientation):
    upright = Image.fromarray(picture(40, 24))
    back = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # Pillow's transposition that undoes the orientation's own
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    read = decode.read(saved(stored, "PNG", exif=rotated_exif(orientation)))
    assert read.rgb.shape == (24, 40, 3) and (read.width, read.height) == (40, 24)
    assert (read.rgb == np.asarray(upright)).all()


def test_identify_gives_the_upright_size(picture, saved, rotated_exif, tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(picture(40, 24), "JPEG", exif=rotated_exif(6)))
    row = decode.identify(tmp_path / "a.jpg")
    assert (row["width"], row["height"], row["reason"]) == (24, 40, "")


def test_window_is_cut_from_the_upright_image(picture, saved, rotated_exif):
    data = saved(picture(40, 24), "PNG", exif=rotated_exif(6))
    whole, part = decode.read(data), decode.read(data, (2, 3, 20, 33))
    assert (part.rgb == whole.rgb[3:33, 2:20]).all()
    assert (part.width, part.height) == (24, 40)


def test_cmyk_jpeg_keeps_its_colours(saved):
    data = saved(Image.new("RGB", (16, 16), (250, 130, 10)).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data  # such files hold inverted inks
    read = decode.read(data)
    assert np.abs(read.rgb.astype(int) - (250, 130, 10)).max() < 12


@pytest.mark.parametrize("value", [0, 257, 32768, 65535])
def test_16_bit_grey_is_scaled_not_clipped(saved, value):
    read = decode.read(saved(Image.fromarray(np.full((4, 4), value, np.uint16)), "PNG"))
    assert np.abs(read.rgb.astype(float) - value / 257).max() <= 0.5


def test_16_bit_rgb_png_is_scaled_not_clipped():
    colour = np.array([40000, 300, 65535])
    read = decode.read(png(np.tile(colour, (2, 2, 1)), 16, 2))
    assert np.abs(read.rgb[0, 0].astype(float) - colour / 257).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(saved, mode):
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    clear.paste((0, 0, 200, 255), (0, 0, 4, 8))
    read = decode.read(saved(clear.convert(mode) if mode != "P" else clear.quantize(4), "PNG"))
    assert (read.rgb[:, 4:] == 255).all() and not (read.rgb[:, :4] == 255).all()


def test_colour_key_transparency_is_laid_on_white(saved):
    data = saved(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    assert (decode.read(data).rgb == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_modes_without_transparency(saved, picture, mode):
    source = Image.fromarray(picture()).convert(mode)
    assert (decode.read(saved(source, "PNG")).rgb == np.asarray(source.convert("RGB"))).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(saved, form):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    lossless = {"lossless": True} if form == "WEBP" else {}
    read = decode.read(saved(red, form, save_all=True, append_images=[blue], duration=50, **lossless))
    assert (read.rgb[0, 0] == (255, 0, 0)).all()


def test_the_bytes_decide_not_the_suffix(picture, saved, tmp_path):
    (tmp_path / "lie.jpg").write_bytes(saved(picture(), "PNG"))
    assert decode.identify(tmp_path / "lie.jpg")["format"] == "PNG"
    assert decode.read(tmp_path / "lie.jpg").format == "PNG"


def test_one_pixel(saved):
    assert decode.read(saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).rgb.tolist() == [[[1, 2, 3]]]


def test_colour_profiles_are_left_alone(picture, saved):
    assert (decode.read(saved(picture(), "PNG", icc_profile=b"no profile at all")).rgb == picture()).all()


def test_reasons_for_what_is_no_image(tmp_path, saved, picture):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("hello")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    expected = {
        "empty.jpg": "empty", "text.png": "not an image", "": "a folder", "pipe.jpg": "not a regular file",
        "gone.jpg": "not there", "self.jpg": "cannot be read", "missing.jpg": "not there",
        "nul\0.jpg": "cannot be read",
    }  # fmt: skip
    for name, words in expected.items():
        path = f"{tmp_path}/{name}"
        assert words in reason(path) and words in decode.identify(path)["reason"]


def test_no_permission(tmp_path, monkeypatch, picture, saved):
    def refuse(path, count):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(saved(picture(), "PNG"))
    monkeypatch.setattr(header.reading, "start", refuse)
    assert "Permission denied" in reason(tmp_path / "a.png")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [4, 0.1, 0.6])
def test_truncated_files_have_a_reason(picture, saved, form, kept):
    data = saved(picture(64, 64), form)
    assert reason(data[: kept if isinstance(kept, int) else int(len(data) * kept)])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damaged_files_never_crash(picture, saved, form):
    data = saved(picture(64, 64), form)
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(40):
            broken = np.frombuffer(data, np.uint8).copy()
            broken[rng.integers(0, len(broken), 12)] = rng.integers(0, 256, 12)
            try:
                assert decode.read(broken.tobytes()).rgb.dtype == np.uint8
            except Unreadable as error:
                assert str(error)


def test_postscript_is_never_run(saved, picture):
    assert "not an image" in reason(saved(picture(), "EPS"))


def test_a_larger_image_than_the_limit_has_a_reason(monkeypatch, picture, saved, tmp_path):
    (tmp_path / "a.png").write_bytes(saved(picture(48, 32), "PNG"))
    monkeypatch.setattr(header, "LIMIT", 48 * 32)
    assert decode.read(tmp_path / "a.png").width == 48
    monkeypatch.setattr(header, "LIMIT", 48 * 32 - 1)
    assert "megapixels" in reason(tmp_path / "a.png")
    assert "megapixels" in decode.identify(tmp_path / "a.png")["reason"]


def test_200_megapixels_are_read(tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "big.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode.identify(tmp_path / "big.png")["reason"] == ""
        assert decode.read(tmp_path / "big.png", (19_990, 9_990, 20_000, 10_000)).rgb.shape == (10, 10, 3)


def test_identify_names_the_bytes(tmp_path, picture, saved):
    import hashlib

    data = saved(picture(), "JPEG", quality=70)
    (tmp_path / "a.jpg").write_bytes(data)
    row = decode.identify(tmp_path / "a.jpg")
    assert row["image_id"] == hashlib.sha256(data).hexdigest() and row["jpeg_quality"] == 70
    (tmp_path / "a.txt").write_bytes(b"words")
    assert decode.identify(tmp_path / "a.txt")["image_id"] == hashlib.sha256(b"words").hexdigest()
