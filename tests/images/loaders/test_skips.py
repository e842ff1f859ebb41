"""What a file's name and first bytes say of it: tried as an image, or why not."""

import os
import zipfile

import pandas as pd
import pytest

from aligngemini.images.loaders import skips


@pytest.fixture
def told(tmp_path):
    """Write a file and ask for its reason."""

    def ask(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return skips.reason(tmp_path / name)

    return ask


@pytest.mark.parametrize("name", ["a.jpg_large", "a", "a.PGM", "a.txt", "a.zip", "a.001", "a.json", "2024.01.01"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "PPM", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000"])
def test_an_image_is_tried_whatever_it_is_called(told, saved, picture, name, form):
    assert told(name, saved(picture(), form)) == ""


@pytest.mark.parametrize("name", ["a.png", "a.HEIC", "a.j2k"])
def test_what_is_called_an_image_is_tried_whatever_it_holds(told, name):
    assert told(name, b"words") == told(name, b"") == ""


@pytest.mark.parametrize(
    "text", ["a cat", '{"a": 1}', "<note><x/></note>", "Python is a snake", "BMW", "PK", "Grüße\n"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["README", "a.json", "a.prompt"])
def test_a_text_is_no_image_and_no_loss(told, text, encoding, name):
    assert told(name, text.encode(encoding)) == skips.TEXT


def test_an_empty_text_is_a_text_and_another_empty_file_is_lost(told):
    assert told("label.txt", b"") == told("x.json", b"") == skips.TEXT
    assert told("image", b"") == told("x.dat", b"") == skips.EMPTY


def test_a_page_in_the_place_of_a_download_is_a_loss(told):
    assert told("image_17", b"<!DOCTYPE html><html><body>403") == skips.UNKNOWN
    assert told("index.html", b"<!DOCTYPE html><html><body>hello") == skips.TEXT


@pytest.mark.parametrize("name", ["a.part", "a.png.PART", "a.jpg.crdownload", "a.zip.part", "a.aria2"])
def test_an_unfinished_download_is_told_by_its_name(told, saved, picture, name):
    assert told(name, saved(picture(), "PNG")[:200]) == skips.PARTIAL


def test_an_archive_is_told_by_its_name_or_its_bytes(told, tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as pack:
        pack.writestr("a", "b")
    data = (tmp_path / "made.zip").read_bytes()
    assert {told(name, data) for name in ("a.zip", "a", "a.dat")} == {skips.NOT_UNPACKED}
    assert {told(name, b"PK") for name in ("a.z01", "a.7z", "a.zip.003", "a.tar")} == {skips.NOT_UNPACKED}


def test_films_and_arrays_are_named_and_not_read(told):
    assert told("a.mov", b"\0\0\0\x18ftypisom\0\0\0\0isommp42") == "not an image in a format that can be read (MP4)"
    assert told("Thumb.dat", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200)) == skips.UNKNOWN


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert skips.reason(tmp_path / "pipe") == skips.reason(tmp_path / "gone") == skips.reason("a\0b") == ""


def test_only_reasons_that_tell_of_an_image_are_losses():
    rows = pd.DataFrame(
        {
            "reason": [
                "",
                skips.TEXT,
                skips.HIDDEN,
                skips.NOT_UNPACKED,
                skips.PARTIAL,
                skips.EMPTY,
            ]
        }
    )
    assert skips.lost(rows)["reason"].tolist() == [
        skips.NOT_UNPACKED,
        skips.PARTIAL,
        skips.EMPTY,
    ]
