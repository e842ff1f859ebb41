"""The status line: what goes on, how long it has gone on, and how long it will."""

import io
import json
import sys
import time

from aligngemini.core import runs, stages
from aligngemini.images.params import DataParams
from aligngemini.workflow import status


def test_the_line_counts_the_stage_and_all_after_it(tmp_path):
    file = tmp_path / "progress.json"
    file.write_text(json.dumps({"label": "training", "done": 5, "total": 10, "left": 600.0}))
    line = status.line("[2/7] 02_vlm_dpo", 0, 720.0, file)
    assert line == "[2/7] 02_vlm_dpo: training 5/10, 0:00 elapsed, about 12:00 left"


def test_without_a_progress_file_it_knows_what_is_expected(tmp_path):
    line = status.line("[7/7] 05_analysis", 0, 90.0, tmp_path / "none.json")
    assert line == "[7/7] 05_analysis, 0:00 elapsed, about 1:30 left"


def test_a_stage_that_outlasts_what_was_expected_says_so(tmp_path):
    assert "longer than expected" in status.line("[7/7]", 0, 0.0, tmp_path / "none.json")


def test_a_log_gets_a_line_now_and_then(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(status, "LINE_SECONDS", 0.05)
    file = tmp_path / "progress.json"
    file.write_text("{")
    with status.shown(lambda: status.line("[1/1] 01", 0, 10.0, file), 0):
        time.sleep(0.3)
    assert "[1/1] 01, 0:00 elapsed, about 0:10 left\n" in capsys.readouterr().out


def test_a_terminal_has_one_line_for_each_and_news_stand_above_them(monkeypatch):
    class Terminal(io.StringIO):
        isatty = staticmethod(lambda: True)

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(status, "TERMINAL_SECONDS", 0.05)
    with status.shown(lambda: "first goes on", 0), status.shown(lambda: "second goes on", 1):
        time.sleep(0.3)
        status.say("zero: complete")
        time.sleep(0.2)
    before, _, after = sys.stdout.getvalue().partition("zero: complete\n")
    for said in (before, after):
        assert "\rfirst goes on" in said and "\n\rsecond goes on" in said
    assert after.endswith("\r") and not after.split("\r")[-2].strip(), "nothing is left of them"


def test_expected_is_what_the_last_run_of_that_scale_took(little):
    assert status.expected(stages.DATA, "tiny", {stages.DATA: 2}) == 120
    assert status.expected(stages.DATA, "tiny", {}) == 60
    run = runs.start(stages.DATA, DataParams(scale="tiny", vae=str(little.root / "model")))
    run.finish({})
    assert status.expected(stages.DATA, "tiny", {stages.DATA: 2}) == run.manifest["run"]["seconds"]
    assert status.expected(stages.DATA, "mini", {stages.DATA: 2}) == 120
