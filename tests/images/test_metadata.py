"""What a file carries beside its pixels leaves the pixels as they are, but for the orientation of its EXIF."""

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from aligngemini.audit import file_facts
from aligngemini.images import decode, header, jpeg
from tests.images.encoders import chunk, directory, png, segment, short, within

ORIENTATION = 0x0112
TURN_BACK = Image.Transpose.ROTATE_90  # what orientation 6 undoes


def turned(picture, exif: bytes) -> bytes:
    image = Image.fromarray(picture(40, 24)).transpose(TURN_BACK)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=98, subsampling=0)
    return within(file.getvalue(), segment(0xE1, exif))


def is_upright(data: bytes, picture) -> bool:
    read, row = decode.read(data), decode.pixels(Image.open(io.BytesIO(data)))
    right = picture(40, 24).astype(int)
    return read.rgb.shape == right.shape and np.abs(read.rgb - right).mean() < 4 and (row == read.rgb).all()


@pytest.mark.parametrize("kind", ["zTXt", "iCCP"])
def test_a_png_with_a_bomb_beside_its_pixels_has_a_reason_in_little_memory(picture, kind):
    bomb = chunk(kind.encode(), b"name\0\0" + zlib.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(decode.Unreadable, match="too large"):
            decode.read(png(picture(), 8, 2, bomb))
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_much_text_in_a_png_is_no_harm(picture):
    assert (decode.read(png(picture(), 8, 2, chunk(b"tEXt", b"prompt\0" + b"{}" * 3_000_000))).rgb == picture()).all()


def test_a_png_with_very_many_texts_is_read_quickly(picture):
    data = png(picture(), 8, 2, b"".join(chunk(b"tEXt", b"k%d\0" % i + bytes(100)) for i in range(50_000)))
    begun = time.process_time()
    assert (decode.read(data).rgb == picture()).all() and time.process_time() - begun < 2


@pytest.mark.parametrize("part", ["IHDR", "IDAT", "tRNS"])
def test_a_wrong_checksum_in_what_decides_pixels_is_damage(picture, part, tmp_path):
    key = chunk(b"tRNS", bytes(6), part == "tRNS")
    data = bytearray(png(picture(), 8, 2, key, wrong=part == "IDAT"))
    data[29] ^= part == "IHDR"  # the first byte of its checksum
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(decode.Unreadable, match="damaged"):
        decode.read(tmp_path / "a.png")
    assert "damaged" in decode.identify(tmp_path / "a.png")["reason"]


def test_a_png_of_a_few_chunks_has_a_reason():
    for body in (chunk(b"tRNS", b""), chunk(b"IEND", b""), chunk(b"tRNS", bytes(2)) + chunk(b"acTL", bytes(2))):
        with pytest.raises(decode.Unreadable):
            decode.read(b"\x89PNG\r\n\x1a\n" + body)


FIELDS = {
    "nothing else": (),
    "a ratio over nothing": ((0x11A, 5, 1, struct.pack("<II", 72, 0)),),
    "text in place of a ratio": ((0x11A, 2, 3, b"72\0"), (0x11B, 2, 3, b"72\0")),
    "numbers in place of text": ((0x10F, 3, 3, struct.pack("<3H", 1, 2, 3)),),
    "an unknown type": ((0x9999, 77, 1, b"abcd"),),
    "a place past the end": ((0x10F, 2, 4, struct.pack("<I", 60000)),),
    "a pointer past the end": ((0x8769, 4, 1, struct.pack("<I", 60000)),),
    "a pointer to itself": ((0x8769, 4, 1, struct.pack("<I", 8)),),
    "a count of nothing": ((0x132, 2, 0, b""),),
    "not a number": ((0x9204, 11, 1, struct.pack("<f", float("nan"))),),
}


@pytest.mark.parametrize("beside", FIELDS)
def test_a_jpeg_is_turned_whatever_stands_beside_its_orientation(picture, beside):
    data = turned(picture, b"Exif\0\0" + directory([short(ORIENTATION, 6), *FIELDS[beside]]))
    assert is_upright(data, picture)


@pytest.mark.parametrize("field", [(ORIENTATION, 2, 2, b"6\0"), short(ORIENTATION, 9), short(ORIENTATION, 0)])
def test_an_orientation_that_is_none_turns_nothing(picture, field):
    assert decode.read(turned(picture, b"Exif\0\0" + directory([field]))).rgb.shape == (40, 24, 3)


def test_exif_is_read_from_either_end_and_with_its_name_twice(picture):
    big = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, ORIENTATION, 3, 1, 6, 0, 0)
    assert is_upright(turned(picture, b"Exif\0\0" + big), picture)
    assert is_upright(turned(picture, b"Exif\0\0" * 2 + directory([short(ORIENTATION, 6)])), picture)


def test_an_empty_exif_block_does_not_hide_the_one_behind_it(picture):
    whole = turned(picture, b"Exif\0\0" + directory([short(ORIENTATION, 6)]))
    assert is_upright(within(whole, segment(0xE1, b"Exif\0\0")), picture)


@pytest.mark.parametrize("behind", [False, True])
def test_a_png_is_turned_by_its_exif_wherever_it_stands(picture, behind):
    stored = np.asarray(Image.fromarray(picture(40, 24)).transpose(TURN_BACK))
    block = directory([short(ORIENTATION, 6)])
    text = f"\nexif\n{len(block):8}\n{(b'Exif' + bytes(2) + block).hex()}\n"
    for odd in (chunk(b"eXIf", block), chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text.encode()))):
        data = png(stored, 8, 2, **{"tail" if behind else "extra": odd})
        assert (decode.read(data).rgb == picture(40, 24)).all()
        assert (decode.pixels(Image.open(io.BytesIO(data))) == picture(40, 24)).all()
        loaded = Image.open(io.BytesIO(data))
        loaded.load()
        assert (decode.pixels(loaded) == picture(40, 24)).all()


def test_broken_exif_stops_no_webp(saved, picture):
    data = saved(picture(), "WEBP", lossless=True, exif=b"Exif\0\0junk")
    assert (decode.read(data).rgb == picture()).all() and not file_facts.metadata(data)["camera"]


@pytest.mark.parametrize(
    "odd",
    [
        segment(0xE2, b"MPF\0junkjunkjunk"),
        segment(0xE1, b"Exif\0\0II*\0"),
        segment(0xFE, bytes(60_000)) * 200,
        b"\xff",
    ],
)
@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_a_jpeg_with_an_odd_segment_has_the_pixels_it_has_without(saved, picture, odd):
    plain = saved(picture(), "JPEG", quality=90)
    read = decode.read(within(plain, odd))
    assert (read.rgb == decode.read(plain).rgb).all() and read.jpeg_quality == 90


def test_of_a_jpeg_with_more_images_the_first_is_read(saved, picture):
    whole = saved(picture(), "MPO", save_all=True, append_images=[Image.fromarray(picture(seed=1))])
    assert decode.read(whole).format == "JPEG"
    assert (decode.read(whole[: whole.index(b"\xff\xd9\xff\xd8") + 2]).rgb == decode.read(whole).rgb).all()


def test_what_like_writes_does_not_depend_on_metadata(saved, picture):
    plain = saved(picture(), "JPEG", quality=85)
    odd = within(plain, segment(0xE2, b"ICC_PROFILE\0\1\1x"), segment(0xFE, b"made by"))
    assert jpeg.like(odd, picture()) == jpeg.like(plain, picture()) and jpeg.reproducible(odd)


def test_camera_fields_are_found(saved, picture, rotated_exif):
    made = Image.Exif()
    made[0x010F] = "maker"
    assert file_facts.metadata(saved(picture(), "AVIF", exif=made))["camera"]
    inner = directory([(0x829A, 5, 1, struct.pack("<II", 1, 60))], 26)[8:]
    outer = directory([(0x8769, 4, 1, struct.pack("<I", 26))])
    assert file_facts.metadata(within(saved(picture(), "JPEG"), segment(0xE1, b"Exif\0\0" + outer + inner)))["camera"]
    assert not file_facts.metadata(saved(picture(), "JPEG", exif=rotated_exif(6)))["camera"]


def test_the_size_in_the_table_is_that_of_the_upright_pixels(saved, picture, rotated_exif, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for form, options in (("TIFF", {"tiffinfo": exif}), ("JPEG", {"exif": exif}), ("WEBP", {"exif": exif})):
        (tmp_path / "a").write_bytes(saved(picture(40, 24), form, **options))
        row, read = decode.identify(tmp_path / "a"), decode.read(tmp_path / "a")
        assert (row["width"], row["height"], row["format"]) == (24, 40, form) == (read.width, read.height, read.format)
        with header.opened((tmp_path / "a").read_bytes()) as image:
            assert header.upright_size(image) == (24, 40)
