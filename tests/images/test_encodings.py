"""Unusual encodings: the right pixels, or the true reason; never other pixels in silence."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from aligngemini.images import decode, header, segments
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


def test_tiff_with_16_bit_planes_has_the_pixels_of_one_without(deep):
    for pixels, more in ((deep, ()), (np.dstack([deep, deep[..., 0]]), (short(338, 2),))):
        apart, together = (tiff(pixels, 16, RGB, *more, planes=planes) for planes in (True, False))
        assert (decode.read(apart).rgb == decode.read(together).rgb).all()
    assert (decode.read(tiff(deep, 16, RGB, planes=True)).rgb == deep >> 8).all()
    assert (decode.pixels(Image.open(io.BytesIO(tiff(deep, 16, RGB, planes=True)))) == deep >> 8).all()


def test_a_pil_image_that_was_loaded_wrongly_has_a_reason(deep):
    image = Image.open(io.BytesIO(tiff(deep, 16, RGB, planes=True)))
    image.load()
    with pytest.raises(decode.Unreadable, match="give the file"):
        decode.pixels(image)


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


def test_tiff_with_coarse_colour_is_read_as_such():
    luma = np.full((16, 16), 120, np.uint8)
    blocks = np.concatenate([luma.reshape(-1, 4), np.full((64, 1), 90, np.uint8), np.full((64, 1), 200, np.uint8)], 1)
    data = tiff(np.zeros((16, 16, 3)), 8, YCBCR, stored=blocks.tobytes())
    right = np.array(Image.new("YCbCr", (1, 1), (120, 90, 200)).convert("RGB"))
    assert np.abs(decode.read(data).rgb.astype(int) - right).max() <= 2


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("field", ["short", "byte"])
def test_tiff_is_turned_once_by_a_number_of_any_type(picture, orientation, field):
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    stored = np.asarray(Image.fromarray(picture(40, 24)).transpose(back))
    entry = short(274, orientation) if field == "short" else (274, 1, 1, bytes([orientation]))
    read = decode.read(tiff(stored, 8, RGB, entry))
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
    assert (read.rgb == grey(right)).all() and "transparency laid on white" in read.notes


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_colour_key_counts_for_few_bits(picture, depth):
    values = picture()[..., 0] >> (8 - depth)
    key = int(values[20, 20])
    data = png(values, depth, 0, chunk(b"tRNS", struct.pack(">H", key)))
    assert (decode.read(data).rgb == grey(np.where(values == key, 255, values * (255 // (2**depth - 1))))).all()
    assert (decode.pixels(Image.open(io.BytesIO(data))) == decode.read(data).rgb).all()


@pytest.mark.parametrize("depth", [2, 4])
def test_a_loaded_pil_image_with_a_colour_key_of_few_bits_has_a_reason(picture, depth):
    data = png(picture()[..., 0] >> (8 - depth), depth, 0, chunk(b"tRNS", b"\0\1"))
    loaded = Image.open(io.BytesIO(data))
    loaded.load()
    with pytest.raises(decode.Unreadable, match="give the file instead"):
        decode.pixels(loaded)
    eight = Image.fromarray(picture()[..., 0])
    eight.info["transparency"] = 1
    assert decode.pixels(eight).shape == picture().shape


def fewer_rows(pixels: np.ndarray, rows: int, laced: int) -> bytes:
    """An RGB PNG whose head tells of all rows of `pixels`; the packed ones are the first `rows`."""
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, laced)
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in (segments.PASSES if laced else [(0, 0, 1, 1)])]
    lines = [b"\0" + row.tobytes() for part in passes for row in part]
    packed = zlib.compress(b"".join(lines[: len(lines) - len(pixels) + rows]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("laced", [0, 1])
def test_a_png_with_fewer_rows_than_its_head_tells_is_damaged(picture, laced):
    for pixels in (picture(), np.zeros((5, 7, 3), np.uint8)):
        assert (decode.read(fewer_rows(pixels, len(pixels), laced)).rgb == pixels).all(), "black rows may be meant"
        for lost in (1, 3):
            with pytest.raises(decode.Unreadable, match="before its last row"):
                decode.read(fewer_rows(pixels, len(pixels) - lost, laced))


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
    assert (decode.read(empty).rgb == picture()).all() and decode.read(empty).notes == ()
    assert np.abs(decode.read(some).rgb - laid_on_white(picture(), alpha)).max() <= 1
    image = Image.open(io.BytesIO(empty))
    if loaded:
        image.load()
    assert (decode.pixels(image) == picture()).all() and image.mode == "RGBA"


def test_floating_point_tiffs_that_pillow_does_not_open_say_so(tmp_path):
    for bits, kind, more in ((16, "<f2", ()), (32, "<f4", (short(317, 3),))):
        data = tiff(np.ones((8, 8, 3), kind), bits, 2, short(339, 3, 3, 3), *more)
        assert "floating-point" in reason(data, tmp_path)
    assert "floating-point" in reason(tiff(np.ones((8, 8), "<f2"), 16, BLACK_IS_ZERO, short(339, 3)), tmp_path)


@pytest.mark.parametrize("off", [0, 1])
def test_a_colour_key_of_16_bit_colours_counts_to_the_last_bit(deep, off):
    key = deep[20, 20] ^ np.array([0, 0, off], np.uint16)
    data = png(deep, 16, 2, chunk(b"tRNS", struct.pack(">3H", *key.tolist())))
    read = decode.read(data)
    assert (read.rgb == np.where((deep == key).all(2, keepdims=True), 255, deep >> 8)).all() and read.format == "PNG"
    assert (read.rgb[20, 20] == 255).all() == (off == 0)


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
    assert np.abs(read.rgb.astype(int) - inverse).max() < 8 and any("Adobe" in note for note in read.notes)


def test_jpegs_that_no_decoder_here_reads_are_named(saved, picture, tmp_path):
    plain = bytearray(saved(picture(), "JPEG"))
    at = plain.index(b"\xff\xc0")
    for marker, bits, words in ((0xC1, 12, "12 bits"), (0xC3, 8, "lossless"), (0xF7, 8, "JPEG-LS")):
        plain[at + 1], plain[at + 4] = marker, bits
        assert words in reason(bytes(plain), tmp_path)


def test_jpeg_2000_of_many_bits_is_scaled_or_has_a_reason(saved, deep, tmp_path):
    data = saved(Image.fromarray(deep[..., 0]), "JPEG2000")
    assert np.abs(decode.read(data).rgb - grey(deep[..., 0] / 257)).max() <= 0.5
    colours = bytearray(saved(Image.fromarray((deep >> 8).astype(np.uint8)), "JPEG2000", no_jp2=True))
    colours[42] = 15  # bits of the first channel, less one
    assert "16 bits" in reason(bytes(colours), tmp_path)


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
    assert np.abs(over.rgb - laid_on_white(rgb, rgb[..., 0])).mean() < 3 and over.notes
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


def test_without_its_package_heic_says_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    assert reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", tmp_path) == "HEIC needs pillow-heif, which is not installed"


def test_the_package_is_imported_without_pillow_heif():
    import subprocess

    code = "import sys; sys.modules['pillow_heif'] = None; from aligngemini.images import header; print(header.CODECS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pillow-heif None" in done.stdout


@pytest.mark.parametrize(
    ("head", "name"), [(b"\xff\x0a", "JPEG XL"), (b"II\xbc\1", "JPEG XR"), (b"8BPS", "PSD"), (b"PK\3\4", "ZIP")]
)
def test_a_format_that_is_not_read_is_named(head, name, tmp_path):
    assert name in reason(head + bytes(100), tmp_path)


def test_a_head_of_an_unusual_kind_names_the_format(tmp_path):
    data = tiff(np.zeros((8, 8, 3), "<u4"), 32, RGB)
    assert reason(data, tmp_path).startswith("damaged, or a TIFF of an unusual kind (")
