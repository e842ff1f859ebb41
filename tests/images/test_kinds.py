"""What the first bytes of a file look like."""

import io
import tarfile

import pytest
from PIL import Image

from aligngemini.images.header import kind


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000"])
def test_formats_that_can_be_read_have_the_name_they_are_read_under(saved, picture, form):
    assert kind(saved(picture(), form)[:64]) == form


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"II\xbc\1", "JPEG XR"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "MP4"),
        (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
        (b"PK\3\4rest", "ZIP"),
        (b"\n<!DOCTYPE html><html>", "HTML"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "SVG"),
        (b"<?xml version='1.0'?><list/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_other_formats_are_named(head, name):
    assert kind(head) == name


def test_a_tar_file_is_named():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert kind(file.getvalue()[:512]) == "tar"


@pytest.mark.parametrize("head", [b"", b"B", b"BMW is a maker of cars", b"hello", b"P5", b"RIFF", b"\0" * 512])
def test_what_announces_nothing_has_no_name(head):
    assert kind(head) == ""


def test_a_head_of_any_length_has_an_answer(saved):
    data = saved(Image.new("RGB", (9, 9)), "AVIF")
    assert {kind(data[:n]) for n in range(40)} <= {"", "AVIF", "MP4"}
