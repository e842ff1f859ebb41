"""The shipped detector: it knows its pictures, it says so when it does not, and it stands in where no run is."""

import json
import shutil

import pandas as pd
import pytest

from aligngemini import cli, self_check
from aligngemini.core.params import Refused
from aligngemini.detector import SHIPPED, Detector


def test_the_shipped_detector_gives_its_known_answers():
    found = self_check.check()
    assert found.agrees.all() and set(found["axis"]) == {"none", "semantic", "pixel", "both"} and len(found) == 8


def test_the_self_check_says_so_when_scores_are_off(tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(SHIPPED, tmp_path / "detector")
    answers = pd.read_csv(folder / "known" / "answers.csv")
    answers.loc[0, "vlm_score"] = 1 - answers.vlm_score[0] + 0.1
    answers.to_csv(folder / "known" / "answers.csv", index=False)
    assert self_check.check(folder).agrees.tolist() == [False] + [True] * 7
    monkeypatch.setattr(self_check, "check", lambda: pd.DataFrame({"file": ["a"], "agrees": [False]}))
    assert cli.main(["detect", "--self-check"]) == 1 and "off" in capsys.readouterr().out


def test_a_new_clone_judges_pictures_before_any_run(tmp_path, capsys):
    picture = next((SHIPPED / "known").glob("0_*"))
    assert cli.main(["detect", str(picture), "--json", "--outputs", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] in (0, 1) and "shipped detector" in told.err


def test_the_shipped_detector_does_not_stand_in_for_a_run_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "04_fusion" / "0123456789ab").mkdir(parents=True)
    (tmp_path / "04_fusion" / "0123456789ab" / "manifest.json").touch()
    words = ["detect", str(next((SHIPPED / "known").glob("0_*"))), "--outputs", str(tmp_path)]
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert "0123456789ab cannot be read" in told.err and "shipped detector" not in told.err and not told.out
    assert cli.main([*words, "--run", "shipped"]) == 0


def test_every_picture_is_explained_by_the_verdict_it_got_and_one_that_cannot_be_read_by_nothing(tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:4]
    detector = Detector.load(SHIPPED)
    said = detector.explain([files[0], tmp_path / "bad.png", *files[1:]], batch_size=2)
    fake = detector(files).vlm_score > detector.fusion.thresholds[0]
    assert said.pop(1) == "" and len(said) == len(fake) and not any("This image" in text for text in said)
    assert "explaining verdicts: 5 in" in capsys.readouterr().err


def test_a_folder_without_a_detector_is_refused(tmp_path):
    with pytest.raises(Refused, match="no packed detector"):
        Detector.load(tmp_path)


def test_detect_wants_pictures_or_a_check(capsys):
    assert cli.main(["detect"]) == 2 and "--self-check" in capsys.readouterr().err


def test_the_shipped_detector_names_no_path_of_a_machine():
    for name in ("vlm", "expert"):
        config = json.loads((SHIPPED / name / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == f"data/mini/{name}"
