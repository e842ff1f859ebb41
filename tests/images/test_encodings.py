"""Unusual encodings: the right pixels, or the true reason; never other pixels in silence."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from aligngemini.images import decode, header
from tests.images.encoders import chunk, png, short, tiff

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6


@pytest.fixture
def deep(picture):
    """Colours of 16 bits, [H, W, 3], black and white among them."""
    rgb = (picture().astype(np.uint16) << 8) | picture(seed=1)
    rgb[:4], rgb[4:8] = 0, 65535
    return rgb


def laid_on_white(rgb, alpha) -> np.ndarray:
    alpha = alpha[..., None] / 255
    return np.round(rgb * alpha + 255 * (1 - alpha))


def reason(data: bytes, tmp_path) -> str:
    """The reason of a file that is not read: the same from its head."""
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(decode.Unreadable) as caught:
        decode.read(data)
    assert decode.identify(tmp_path / "file")["reason"] == str(caught.value)
    return str(caught.value)


def grey(values) -> np.ndarray:
    return np.repeat(values[..., None], 3, 2)


def test_a_tiff_that_pillow_would_misread_has_a_reason(deep, tmp_path):
    assert (decode.read(tiff(deep, 16, RGB)).rgb == deep >> 8).all()
    assert "16-bit planes" in reason(tiff(deep, 16, RGB, planes=True), tmp_path)
    assert "YCbCr" in reason(tiff(np.zeros((16, 16, 3), np.uint8), 8, YCBCR), tmp_path)


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_whose_white_is_zero_is_not_inverted(deep, bits):
    values = deep[..., 0] if bits == 16 else (deep[..., 0] >> 8).astype(np.uint8)
    data = tiff(2**bits - 1 - values, bits, WHITE_IS_ZERO)
    assert np.abs(decode.read(data).rgb - grey(values * (255 / (2**bits - 1)))).max() <= 0.5


def test_tiff_of_12_bits_is_scaled(deep):
    values = deep[..., 0] >> 4
    packed = np.packbits(np.unpackbits(values.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:])
    data = tiff(values, 12, BLACK_IS_ZERO, stored=packed.tobytes())
    assert np.abs(decode.read(data).rgb - grey(values * (255 / 4095))).max() <= 0.5


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tiff_is_turned_once(picture, orientation):
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    stored = np.asarray(Image.fromarray(picture(40, 24)).transpose(back))
    read = decode.read(tiff(stored, 8, RGB, short(274, orientation)))
    assert (read.rgb == picture(40, 24)).all() and (read.width, read.height) == (40, 24)


@pytest.mark.parametrize(
    ("bits", "entry", "words"),
    [
        (32, short(339, 3), "floating-point"),
        (32, short(339, 1), "32-bit"),
        (16, short(339, 2), "signed"),
        (8, short(339, 2), "signed"),
        (8, (50706, 1, 4, b"\1\4\0\0"), "raw file"),
    ],
)
def test_tiff_of_unclear_meaning_has_a_reason(bits, entry, words, tmp_path):
    data = tiff(np.ones((8, 8), f"<u{bits // 8}"), bits, BLACK_IS_ZERO, entry)
    assert words in reason(data, tmp_path)


def test_a_colour_key_counts_for_16_bit_grey(deep):
    values = deep[..., 0]
    key = int(values[20, 20])
    read = decode.read(png(values, 16, 0, chunk(b"tRNS", struct.pack(">H", key))))
    right = np.where(values == key, 255, np.round(values / 257))
    assert (read.rgb == grey(right)).all()


@pytest.mark.parametrize(("depth", "colour", "key"), [(2, 0, b"\0\1"), (4, 0, b"\0\1"), (16, 2, bytes(6))])
def test_a_colour_key_that_pillow_misunderstands_has_a_reason(deep, depth, colour, key, tmp_path):
    values = deep if colour == 2 else deep[..., 0] >> (16 - depth)
    data = png(values, depth, colour, chunk(b"tRNS", key))
    assert "colour key" in reason(data, tmp_path)
    with pytest.raises(decode.Unreadable, match="colour key"):
        decode.pixels(Image.open(io.BytesIO(data)))


def test_a_colour_key_counts_for_1_bit(picture):
    data = png(picture()[..., 0] >> 7, 1, 0, chunk(b"tRNS", b"\0\0"))
    assert (decode.read(data).rgb == 255).all()


def bitmap(rgb: np.ndarray, alpha: np.ndarray) -> bytes:
    """A BMP whose head says that it has an alpha channel."""
    high, wide = alpha.shape
    head = struct.pack("<IiiHHII16x", 108, wide, high, 1, 32, 3, 4 * wide * high)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    rows = np.dstack([rgb[..., ::-1], alpha])[::-1].tobytes()
    return b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122) + head + masks + rows


@pytest.mark.parametrize("loaded", [False, True])
def test_an_empty_alpha_channel_of_a_bmp_is_no_transparency(picture, loaded):
    alpha = picture(seed=1)[..., 0]
    empty, some = bitmap(picture(), np.zeros_like(alpha)), bitmap(picture(), alpha)
    assert (decode.read(empty).rgb == picture()).all()
    assert np.abs(decode.read(some).rgb - laid_on_white(picture(), alpha)).max() <= 1
    image = Image.open(io.BytesIO(empty))
    if loaded:
        image.load()
    assert (decode.pixels(image) == picture()).all() and image.mode == "RGBA"


def test_16_bit_transparency_is_laid_on_white(deep):
    rgb, alpha = (deep >> 8).astype(np.uint8), (deep[..., 0] >> 8).astype(np.uint8)
    for colour, channels in ((6, deep), (4, deep[..., :1])):
        data = png(np.dstack([channels, deep[..., 0]]), 16, colour)
        right = laid_on_white(rgb if colour == 6 else grey(rgb[..., 0]), alpha)
        assert np.abs(decode.read(data).rgb - right).max() <= 1


def test_cmyk_without_adobes_marker_holds_plain_inks(saved):
    ink = saved(Image.new("CMYK", (16, 16), (0, 120, 240, 0)), "JPEG", quality=95)  # stored inverted, and marked so
    at = ink.index(b"\xff\xee")
    bare = ink[:at] + ink[at + 2 + int.from_bytes(ink[at + 2 : at + 4]) :]
    assert np.abs(decode.read(ink).rgb.astype(int) - (255, 135, 15)).max() < 8
    read = decode.read(bare)
    inverse = np.array(Image.new("CMYK", (1, 1), (255, 135, 15, 255)).convert("RGB"))
    assert np.abs(read.rgb.astype(int) - inverse).max() < 8


def test_a_jpeg_of_12_bits_has_a_reason(saved, picture, tmp_path):
    plain = bytearray(saved(picture(), "JPEG"))
    at = plain.index(b"\xff\xc0")
    plain[at + 1], plain[at + 4] = 0xC1, 12
    assert reason(bytes(plain), tmp_path) == "damaged, or a JPEG of an unusual kind"


def test_jpeg_2000_of_many_bits_is_scaled_or_has_a_reason(saved, deep, tmp_path):
    data = saved(Image.fromarray(deep[..., 0]), "JPEG2000")
    assert np.abs(decode.read(data).rgb - grey(deep[..., 0] / 257)).max() <= 0.5
    colours = bytearray(saved(Image.fromarray((deep >> 8).astype(np.uint8)), "JPEG2000", no_jp2=True))
    colours[42] = 15  # bits of the first channel, less one
    assert "more than 8 bits" in reason(bytes(colours), tmp_path)


def test_heic_is_read_upright_with_its_transparency_and_10_bits(picture, deep, saved, rotated_exif):
    heif = pytest.importorskip("pillow_heif")
    rgb, options = picture(64, 48), {"quality": -1, "chroma": 444}
    read = decode.read(saved(rgb, "HEIF", **options))
    assert np.abs(read.rgb.astype(int) - rgb).mean() < 3 and (read.format, read.width, read.height) == ("HEIC", 64, 48)
    stored = Image.fromarray(rgb).transpose(Image.Transpose.ROTATE_90)
    turned = decode.read(saved(stored, "HEIF", exif=rotated_exif(6), **options))
    assert turned.rgb.shape == rgb.shape and np.abs(turned.rgb.astype(int) - rgb).mean() < 3
    clear = np.dstack([rgb, rgb[..., 0]])
    over = decode.read(saved(clear, "HEIF", **options))
    assert np.abs(over.rgb - laid_on_white(rgb, rgb[..., 0])).mean() < 3
    file = io.BytesIO()
    heif.from_bytes("RGB;16", deep.shape[1::-1], deep.astype("<u2").tobytes()).save(file, **options)
    assert np.abs(decode.read(file.getvalue()).rgb - deep / 257).mean() < 3


def test_heic_cut_short_or_too_large_has_a_reason(picture, saved, monkeypatch):
    pytest.importorskip("pillow_heif")
    data = saved(picture(64, 48), "HEIF")
    with pytest.raises(decode.Unreadable, match="cut short or damaged"):
        decode.read(data[:-100])
    monkeypatch.setattr(header, "LIMIT", 64 * 48 - 1)
    with pytest.raises(decode.Unreadable, match="megapixels"):
        decode.read(data)


def test_heic_whose_head_tells_another_size_is_damaged(picture, saved):
    pytest.importorskip("pillow_heif")
    data = bytearray(saved(picture(64, 48), "HEIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 4] = (640).to_bytes(4)
    with pytest.raises(decode.Unreadable, match="damaged"):
        decode.read(bytes(data))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "MP4"),
        (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
        (b"PK\3\4rest", "ZIP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_a_format_that_is_not_read_is_named(head, name, tmp_path):
    assert reason(head + bytes(100), tmp_path) == f"not an image in a format that can be read ({name})"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000"])
def test_formats_that_can_be_read_are_known_by_their_first_bytes(saved, picture, form):
    data = saved(picture(), form)
    assert header.kind(data[:64]) == form == decode.read(data).format
    assert {header.kind(data[:n]) for n in range(40)} <= {"", form, "MP4"}


@pytest.mark.parametrize("head", [b"", b"B", b"BMW is a maker of cars", b"hello", b"P5", b"RIFF", b"\0" * 512])
def test_what_announces_nothing_has_no_name(head):
    assert header.kind(head) == ""


@pytest.mark.parametrize("head", [b"\n<!DOCTYPE html><html>", b"<?xml version='1.0'?><list/>"])
def test_a_page_is_no_image(head, tmp_path):
    assert reason(head, tmp_path) == "not an image of a known format"
