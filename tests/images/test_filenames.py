"""File names as text: any name of a disk goes through a table and back to its file."""

import os

import pandas as pd
import pytest

from aligngemini.images import decode, filenames

NAMES = [
    b"plain.png",
    b"caf\xe9.png",
    b"caf\\xe9.png",
    b"caf\\x5cxe9.png",
    "Ω\n\t.png".encode(),
    b"a\\b.png",
    b"\xff\\xff.png",
]


def test_every_name_is_opened_again_from_a_table(tmp_path, saved, picture):
    paths = [os.fsdecode(os.fsencode(tmp_path) + b"/" + name) for name in NAMES]
    for seed, path in enumerate(paths):
        with open(path, "wb") as file:
            file.write(saved(picture(16, 16, seed), "PNG"))
    table = pd.DataFrame({"path": [filenames.spelled(path) for path in paths]})
    table.to_parquet(tmp_path / "t.parquet")
    stored = pd.read_parquet(tmp_path / "t.parquet")["path"].tolist()
    assert [filenames.true(text) for text in stored] == paths and len(set(stored)) == len(NAMES)
    assert len({decode.identify(text)["image_id"] for text in stored}) == len(NAMES)


@pytest.mark.parametrize("text", ["plain.png", "a/ü.png", "a\\b.png", "C:\\pictures\\new.png"])
def test_usual_names_stay_as_they_are(text):
    assert filenames.spelled(text) == text == filenames.true(text)


def test_a_table_from_elsewhere_may_name_a_file_by_its_letters(tmp_path):
    letters = tmp_path / "caf\\xe9.png"
    letters.touch()
    assert filenames.true(str(letters)) == str(letters) == filenames.true(letters)


def test_what_is_printed_stays_on_its_line():
    assert filenames.printable("a\nb\tc\x1b[31m ü.png") == "a\\nb\\tc\\x1b[31m ü.png"
