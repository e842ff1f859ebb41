"""PIL images and arrays give the pixels of their files, or a reason."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from aligngemini.images import decode
from aligngemini.images.feed import Feed, Item


def same(one, file: bytes) -> bool:
    pixels = decode.pixels(one)
    return pixels.dtype == np.uint8 and (pixels == decode.read(file).rgb).all()


def reason(image) -> str:
    with pytest.raises(decode.Unreadable) as caught:
        decode.pixels(image)
    return str(caught.value)


@pytest.fixture
def kinds(picture):
    """Images of all the modes that a PNG or TIFF can hold, some transparent."""
    rgb = Image.fromarray(picture())
    clear = Image.fromarray(np.dstack([picture(), picture(seed=1)[..., 0]]))
    deep = Image.fromarray(picture()[..., 0].astype(np.uint16) * 250)
    png = {"1": rgb.convert("1"), "L": rgb.convert("L"), "LA": clear.convert("LA"), "P": rgb.quantize(16)}
    png |= {"P with alpha": clear.quantize(16), "RGB": rgb, "RGBA": clear, "I;16": deep}
    other = {"CMYK": rgb.convert("CMYK"), "YCbCr": rgb.convert("YCbCr"), "LAB": Image.merge("LAB", rgb.split())}
    return [("PNG", image) for image in png.values()] + [("TIFF", image) for image in other.values()]


def test_pil_images_of_every_mode_give_the_pixels_of_their_files(kinds, saved):
    for form, image in kinds:
        data = saved(image, form)
        loaded = Image.open(io.BytesIO(data))
        loaded.load()
        assert same(image, data) and same(Image.open(io.BytesIO(data)), data) and same(loaded, data), image.mode


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_pil_image_is_turned_once(saved, picture, rotated_exif, form):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(picture(40, 24), form, **({"tiffinfo": exif} if form == "TIFF" else {"exif": exif}))
    image = Image.open(io.BytesIO(data))
    for _ in range(2):
        assert decode.pixels(image).shape == (40, 24, 3) and same(image, data)
    image.load()
    assert same(image, data) and same(image, data)


def test_the_callers_image_stays_as_it_was(saved, picture):
    clear = Image.fromarray(np.dstack([picture(), picture()[..., 0]]))
    before = clear.tobytes(), clear.mode, dict(clear.info)
    decode.pixels(clear)
    assert before == (clear.tobytes(), clear.mode, dict(clear.info))


def test_other_modes_are_understood(picture):
    clear = Image.fromarray(np.dstack([picture(), picture(seed=1)[..., 0]]))
    right = decode.pixels(clear).astype(int)
    assert np.abs(decode.pixels(clear.convert("RGBa")) - right).max() <= 3
    assert np.abs(decode.pixels(Image.fromarray(picture()).convert("HSV")).astype(int) - picture()).mean() < 4
    few = Image.fromarray(picture()).quantize(16).convert("PA")
    few.putalpha(clear.getchannel("A"))
    assert few.mode == "PA" and (decode.pixels(few) == decode.pixels(few.convert("RGBA"))).all()
    deep = Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)
    for mode in ("I;16B", "I"):
        assert (decode.pixels(deep.convert("I").convert(mode)) == decode.pixels(deep)).all()


def test_an_animated_pil_image_gives_the_frame_on_which_it_stands(saved):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        image = Image.open(io.BytesIO(saved(red, form, save_all=True, append_images=[blue], **options)))
        assert (decode.pixels(image)[0, 0] == (255, 0, 0)).all()
        image.seek(1)
        assert (decode.pixels(image)[0, 0] == (0, 0, 255)).all(), form


def test_pil_images_without_pixels_have_a_reason(saved, picture, tmp_path):
    whole = saved(picture(200, 200), "JPEG")
    assert "cut short" in reason(Image.open(io.BytesIO(whole[: len(whole) // 2])))
    (tmp_path / "a.jpg").write_bytes(whole)
    with Image.open(tmp_path / "a.jpg") as closed:
        pass
    assert "closed" in reason(closed)
    gone = Image.fromarray(picture())
    gone.close()
    assert "closed" in reason(gone)
    assert "no pixels" in reason(Image.new("RGB", (0, 5)))
    assert "floating-point" in reason(Image.new("F", (4, 4)))
    assert "32-bit" in reason(Image.new("I", (4, 4), 70_000))


def arrays(picture) -> dict:
    rgb, alpha = picture(), picture(seed=1)[..., :1]
    grey = rgb[..., 0]
    both, over, black = np.dstack([rgb, alpha]), np.dstack([grey, alpha]), np.where(grey > 99, 255, 0).astype(np.uint8)
    return {
        "RGB": (rgb, rgb), "grey": (grey, grey), "grey, one channel": (grey[..., None], grey), "RGBA": (both, both),
        "grey and alpha": (over, over), "channels first": (np.moveaxis(rgb, 2, 0), rgb), "bool": (grey > 99, black),
        "grey, channels first": (grey[None], grey), "RGBA, channels first": (np.moveaxis(both, 2, 0), both),
        "floats": (rgb / 255, rgb), "single floats": ((rgb / 255).astype(np.float32), rgb),
        "RGBA floats": (both / 255, both), "half floats": ((rgb / 255).astype(np.float16), rgb),
        "strided": (rgb[::-1, ::2], rgb[::-1, ::2]),
    }  # fmt: skip


def test_arrays_give_the_pixels_of_the_file_they_would_be_saved_as(picture, saved):
    for name, (array, file) in arrays(picture).items():
        image = Image.fromarray(np.ascontiguousarray(file))
        assert same(array, saved(image, "PNG")), name


def test_16_bit_arrays_are_scaled_as_16_bit_files_are(picture, saved):
    from tests.images.encoders import png

    deep = (picture().astype(np.uint16) << 8) | picture(seed=1)
    for array, file in ((deep, png(deep, 16, 2)), (deep[..., 0], png(deep[..., 0], 16, 0))):
        assert same(array, file) and same(array.astype(">u2"), file)


def test_tensors_are_arrays(picture, saved):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(picture().copy())
    assert same(tensor, saved(picture(), "PNG")) and same(tensor.permute(2, 0, 1), saved(picture(), "PNG"))
    floats = (tensor / 255).permute(2, 0, 1).requires_grad_()
    assert same(floats, saved(picture(), "PNG"))
    assert "array" in reason(floats.to(torch.bfloat16)) and "array" in reason(tensor.to_sparse())


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (np.zeros((3, 40, 3), np.uint8), "3 x 40 x 3: give one image"),
        (np.zeros((40, 40, 7), np.uint8), "40 x 40 x 7: give"),
        (np.zeros((2, 40, 40, 3), np.uint8), "2 x 40 x 40 x 3: give"),
        (np.zeros(9, np.uint8), "array of 9: give"),
        (np.uint8(3), "give one image"),
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (np.ones((9, 9, 3)) * 200, "outside 0..1"),
        (-np.ones((9, 9, 3)), "outside 0..1"),
        (np.full((9, 9), np.nan), "outside 0..1"),
        (np.full((9, 9), np.inf), "outside 0..1"),
        (np.zeros((9, 9, 3), int), "int64 pixels"),
        (np.zeros((9, 9, 3), np.int8), "int8 pixels"),
        (np.zeros((9, 9, 3), complex), "complex128 pixels"),
        (np.full((9, 9), None), "object pixels"),
        (np.full((9, 9), "a"), "pixels without a known white"),
        (None, "NoneType"),
        (3, "int"),
        ([[1, 2], [3, 4]], "list"),
        ({}, "dict"),
        (io.BytesIO(b"x"), "BytesIO"),
        (bytearray(), "empty"),
        (memoryview(b"words"), "not an image"),
        (pathlib.Path("/nowhere/a.png"), "not there"),
    ],
)
def test_what_has_no_clear_pixels_has_a_reason(odd, words):
    assert words in reason(odd)
    (((_, got),),) = Feed([[Item(0, odd)]], lambda item, rgb: rgb)
    assert str(got) == reason(odd)


def test_bytes_of_any_kind_are_read(picture, saved):
    data = saved(picture(), "PNG")
    for given in (data, bytearray(data), memoryview(data)):
        assert same(given, data)
