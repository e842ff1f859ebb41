"""The command `aligngemini audit` from end to end: what it prints and writes, and how it exits."""

import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.audit import command
from aligngemini.images import jpeg


def test_a_clean_folder_exits_with_0(lay, tmp_path, capsys):
    assert cli.main(["audit", str(lay())]) == cli.DONE
    assert capsys.readouterr().out.rstrip().endswith("verdict: usable")


def test_findings_exit_with_3_and_are_written(lay, tmp_path, capsys, monkeypatch):
    root = lay(plain=jpeg.png)
    lay(jpeg.png, jpeg.png, "train")
    (root / "0_real" / "broken.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit", "set", "--against", "train", "--out", "found"]) == command.FOUND
    said = capsys.readouterr().out
    assert "confounded by format (AUROC 1.00)" in said and "leaking: 12 test pictures are also in training" in said
    assert "broken.png" in said and "not an image of a known format" in said
    assert pd.read_csv("found/left_out.csv")["path"].str.endswith("broken.png").tolist() == [True]
    assert pd.read_parquet("found/audit.parquet")["part"].tolist() == ["all"]
    assert "**Verdict:** leaking" in (tmp_path / "found" / "audit.md").read_text(encoding="utf-8")


def test_a_named_benchmark_is_audited_under_its_name(lay, tmp_path, capsys):
    root = lay(name="wild/test/reddit").parents[1]
    (root / "test" / "reddit" / "rest.zip").write_bytes(b"x")
    assert cli.main(["audit", f"WildRF:{root}"]) == command.FOUND
    said = capsys.readouterr().out
    assert "an archive: only what is unpacked counts" in said and "verdict: usable" in said


def test_a_folder_says_the_same_of_archives_and_texts_as_a_named_benchmark(lay, tmp_path, capsys):
    root = lay()
    (root / "README.md").write_text("pictures")
    (root / "docs").mkdir()
    (root / "docs" / ".DS_Store").touch()
    assert cli.main(["audit", str(root)]) == cli.DONE, "texts and hidden files are no loss, and make no subset"
    said = capsys.readouterr().out
    assert "text, not an image" in said and "README.md" in said and said.rstrip().endswith("verdict: usable")
    (root / "1_fake" / "more.zip").write_bytes(b"PK\3\4")
    (root / "more.jpg.part").write_bytes(b"\xff\xd8")
    assert cli.main(["audit", str(root)]) == command.FOUND
    said = capsys.readouterr().out
    assert "an archive: only what is unpacked counts" in said and "a download that has not been finished" in said


def test_a_folder_whose_name_is_no_utf_8_is_audited(lay, tmp_path, capsys):
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n")
    os.rename(lay(), strange)
    assert cli.main(["audit", strange, "--out", str(tmp_path / "out")]) == cli.DONE
    assert "caf\\xe9" in capsys.readouterr().out and (tmp_path / "out" / "audit.md").is_file()


@pytest.mark.parametrize("words", [["nothing"], ["WildRF:nothing"], ["WildRV:."]])
def test_what_is_not_there_exits_with_2(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit", *words]) == cli.REFUSED
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("words", [["audit", "nothing"], ["audit", "set", "--against", "nothing"]])
def test_a_folder_that_is_not_there_is_looked_for_where_one_stands(words, lay, tmp_path, capsys, monkeypatch):
    lay()
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == cli.REFUSED
    assert f"There is no folder {tmp_path}/nothing" in capsys.readouterr().err


def test_a_pipe_is_no_list(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert cli.main(["audit", str(tmp_path / "pipe")]) == cli.REFUSED
    assert "pipe cannot be read as a list (it is no regular file)" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["audit", "--help"])
    assert "3 done with findings" in " ".join(capsys.readouterr().out.split())


def test_the_words_of_a_base_are_a_probe(lay, tmp_path, capsys, monkeypatch):
    from aligngemini.vlm import description_probe, load

    monkeypatch.setattr(load, "load", lambda base: base)
    monkeypatch.setattr(description_probe, "description_auroc", lambda vlm, rows: 0.625 if len(rows) == 24 else 0)
    assert cli.main(["audit", str(lay()), "--words", "a/base"]) == cli.DONE
    said = capsys.readouterr().out
    assert "words probe" in said and "0.62" in said


def test_pictures_beyond_a_vlm_are_named_and_are_no_finding(lay, tmp_path, capsys):
    root = lay()
    for number in range(2):
        strip = np.random.default_rng(number).integers(0, 256, (1, 300, 3), np.uint8)
        Image.fromarray(strip).save(root / ("0_real", "1_fake")[number] / f"strip{number}.png")
    cli.main(["audit", str(root)])
    said = capsys.readouterr().out
    assert "2 x the VLM cannot look at it: aspect ratio above 200" in said and "strip1.png" in said
    assert "Left out\nnothing" in said
