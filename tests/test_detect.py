"""The command `detect`: its table, its options, and what it says when it is stopped."""

import gc
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aligngemini import cli


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))


class Fake:
    """A detector that finds every picture fake, and knows why."""

    explainer = SimpleNamespace(name="mine")

    @classmethod
    def found(cls, run):
        assert run == ""
        return cls()

    def __call__(self, images, cascade=False):
        reasons = ["" if image.endswith(".png") else "no picture" for image in images]
        scores = [np.nan if reason else 0.9 for reason in reasons]
        verdict = pd.array([pd.NA if reason else 1 for reason in reasons], dtype="Int8")
        table = pd.DataFrame({"image": images, "mine_score": scores, "fused_score": 0.9, "reason": reasons})
        return table.assign(verdict=verdict, outside="")

    def remark(self, table):
        return "all of them are photographs"

    def explain(self, images):
        return [f"{image} floats" if image.endswith(".png") else "" for image in images]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    import aligngemini.detector

    monkeypatch.setattr(aligngemini.detector, "Detector", Fake)
    paths = [tmp_path / "one.png", tmp_path / "two.txt"]
    for path in paths:
        path.write_text("")
    return [str(path) for path in paths]


def test_no_garbage_is_looked_for_in_what_detect_has_loaded(pictures):
    gc.unfreeze()
    assert cli.main(["detect", pictures[0]]) == 0
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert frozen > 10_000 and gc.isenabled()


def test_detect_gives_one_line_per_picture(pictures, capsys):
    assert cli.main(["detect", *pictures, "--json", "--explain"]) == 3, "one is no picture"
    one, two = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert one["explanation"].endswith("one.png floats") and two["explanation"] == ""
    assert two["reason"] == "no picture" and one["fused_score"] == 0.9


@pytest.mark.parametrize(
    ("words", "onward"),
    [
        ([], "the same command begins anew, with --to DIR it continues where it was"),
        (["--to", "parts"], "the same command continues where it was"),
    ],
)
def test_a_stopped_detect_says_whether_the_same_command_continues(
    words, onward, pictures, tmp_path, monkeypatch, capsys
):
    def stop(run):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Fake, "found", stop)
    assert cli.main(["detect", *pictures, *words]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"aligngemini: stopped; {onward}"


def test_detect_writes_a_table(pictures, tmp_path, capsys):
    assert cli.main(["detect", *pictures, "--csv", str(tmp_path / "out.csv")]) == 3
    assert list(pd.read_csv(tmp_path / "out.csv")["image"]) == pictures
    told = capsys.readouterr().err.splitlines()
    assert told[-2].startswith("2 files: 0 real, 1 fake, 1 not judged; written to ") and told[0].startswith("loading")
    assert told[-1] == "all of them are photographs"
    assert cli.main(["detect", pictures[0]]) == 0
    out = capsys.readouterr().out
    assert "fused_score" in out and "fake" in out


def test_a_file_that_looks_like_an_option_is_named_with_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.jpg").touch()
    with pytest.raises(SystemExit):
        cli.main(["detect", "-x.jpg"])
    assert "write './-x.jpg' for the file of that name" in capsys.readouterr().err


def test_the_nearest_option_is_named(pictures, capsys):
    with pytest.raises(SystemExit) as refusal:
        cli.main(["detect", pictures[0], "--cvs", "out.csv"])
    assert refusal.value.code == 2 and "there is no option '--cvs': did you mean --csv?" in capsys.readouterr().err


def test_detect_refuses_what_is_not_there(pictures, capsys):
    assert cli.main(["detect", pictures[0], "nowhere.png"]) == 2
    assert "nowhere.png" in capsys.readouterr().err
