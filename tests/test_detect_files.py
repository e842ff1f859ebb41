"""What `detect` makes of files: the same for one that is named and for the folder that holds it, a row for each."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini import cli, detector
from aligngemini.images import decode
from aligngemini.images.loaders import skips


def _read(image):
    """Pixels, or the reason why there are none."""
    try:
        if isinstance(image, decode.Unreadable):
            raise image
        return decode.pixels(image)
    except decode.Unreadable as unreadable:
        return str(unreadable)


class Reader:
    """A detector that only reads: a row for each file, with the mean of its pixels for a score."""

    explainer = SimpleNamespace(name="vlm")

    @classmethod
    def found(cls, run):
        return cls()

    def __call__(self, images, cascade=False):
        listed = detector._listed(images)
        read = [_read(image) for _, image in listed]
        rows = {
            "image": [name for name, _ in listed],
            "reason": [said if isinstance(said, str) else "" for said in read],
        }
        verdict = pd.array([pd.NA if reason else 0 for reason in rows["reason"]], dtype="Int8")
        rows |= {"verdict": verdict, "fired": "", "outside": ""}
        return pd.DataFrame(rows | {"vlm_score": [np.nan if isinstance(said, str) else said.mean() for said in read]})

    def remark(self, table):
        return ""

    def explain(self, images):
        return [f"{self([image]).vlm_score.item():.3f}" for image in images]


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(detector, "Detector", Reader)


@pytest.fixture
def folder(tmp_path):
    """Files that folders hold: images under any name, and others."""
    root = tmp_path / "found"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in (b"a.png", b"b.jpg_large", b"c", b"caf\xe9.png", b"caf\\xe9.png", b"new\nline.png", b"d.part"):
        with open(os.fsencode(root) + b"/" + name, "wb") as file:
            Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(file, "PNG")
    Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8)).save(root / "scan.pgm")
    for name, text in {"e.txt": "words", "f.zip": "PK", "g.png": "", "h.HEIC": "none", "i.json": "{}"}.items():
        (root / name).write_text(text)
    (root / "gone.png").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    return root


def test_there_are_as_many_rows_as_files(reader, folder, tmp_path, capsys):
    assert cli.main(["detect", str(folder), "--csv", str(tmp_path / "out.csv")]) == 3
    rows = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert len(rows) == len(os.listdir(folder)) and (rows.reason == "").sum() == 7
    assert rows.reason.tolist()[-2:] == [skips.TEXT] * 2 and rows.image.is_unique
    assert cli.main(["detect", str(folder)]) == 3
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows), "a name with a line end stays on its line"


def test_a_file_and_its_folder_agree(reader, folder, tmp_path):
    assert cli.main(["detect", str(folder), "--csv", str(tmp_path / "whole.csv")]) == 3
    named = [str(folder / name) for name in os.listdir(folder)]
    assert cli.main(["detect", *named, "--csv", str(tmp_path / "named.csv")]) == 3
    whole, single = (
        pd.read_csv(tmp_path / name).sort_values("image", ignore_index=True) for name in ("whole.csv", "named.csv")
    )
    pd.testing.assert_frame_equal(whole, single)


def test_a_name_that_is_no_utf_8_is_judged_by_its_own_pixels_and_explained(reader, folder, capsys):
    named = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")
    assert cli.main(["detect", named, str(folder / "caf\\xe9.png"), "--json", "--explain"]) == 0
    rows = pd.DataFrame(map(json.loads, capsys.readouterr().out.splitlines()))
    assert rows.image.str.endswith(("caf\\xe9.png", "caf\\x5cxe9.png")).all()
    means = [decode.read(path).rgb.mean() for path in (Path(named), folder / "caf\\xe9.png")]
    assert means[0] != means[1]
    assert np.allclose(rows.vlm_score, means) and np.allclose(rows.explanation.astype(float), means, atol=1e-3)


def test_a_hidden_file_is_read_where_it_is_named(reader, folder, capsys):
    (folder / "a.png").rename(folder / ".a.png")
    assert cli.main(["detect", str(folder / ".a.png"), "--json"]) == 0
    assert '"reason":""' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["detect", "--help"])
    assert "A hidden file is read only if it is given by name" in " ".join(capsys.readouterr().out.split())


def test_the_table_is_not_written_over_a_picture(reader, folder, capsys):
    picture, before = folder / "a.png", (folder / "a.png").read_bytes()
    assert cli.main(["detect", str(folder), "--csv", str(picture)]) == 2
    assert "would write over the image" in capsys.readouterr().err and picture.read_bytes() == before
    table = folder / "table.csv"
    for _ in range(2):
        assert cli.main(["detect", str(picture), "--csv", str(table)]) == 0
    assert len(pd.read_csv(table)) == 1


def test_what_is_said_of_all_images_counts_no_file_that_is_none(reader, folder, monkeypatch, capsys):
    monkeypatch.setattr(Reader, "remark", lambda self, table: f"0 of {len(table)} images")
    assert cli.main(["detect", str(folder)]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "0 of 7 images"  # d.part is an unfinished download
