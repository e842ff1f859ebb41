"""Progress: lines that can be read in a log, and a file that the runner reads."""

import io
import json
import re

import nbclient
import nbformat
import pytest

from aligngemini.core import progress
from aligngemini.core.manifest import DiskFull


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.FILE, str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_every_item_comes_through_and_one_summary_line_ends_it(capsys):
    assert list(progress.progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("counting: 5 in 0:00")


def test_batches_count_their_pictures_and_the_last_one_what_is_left(file, capsys):
    assert len(list(progress.progress(range(3), "scoring", total=150, each=64))) == 3
    assert capsys.readouterr().err.startswith("scoring: 150 in 0:00") and json.loads(file.read_text())["done"] == 150


def test_a_loop_left_early_says_how_far_it_came(capsys):
    for item in progress.progress(range(5), "counting"):
        if item == 2:
            break
    assert "counting: 2 of 5" in capsys.readouterr().err


def test_a_log_gets_a_line_with_rate_and_time_left_only_now_and_then(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    for _ in progress.progress(range(12), "counting"):
        clock[0] += 10
    lines = capsys.readouterr().err.splitlines()
    assert [re.findall(r"\d+/12", line)[0] for line in lines[:-1]] == ["3/12", "6/12", "9/12", "12/12"]
    assert "[00:30<01:30, 10.00s/it]" in lines[0] and lines[-1] == "counting: 12 in 2:00, 0.1/s"


def test_a_terminal_gets_a_bar_in_one_line_and_the_summary_in_its_place(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    monkeypatch.setattr(progress.sys, "stderr", Terminal())
    for _ in progress.progress(range(4), "counting"):
        clock[0] += 1
    text = progress.sys.stderr.getvalue()
    assert "counting:  25%|██" in text and "1/4 [00:01<00:03," in text
    assert text.count("\n") == 1 and text.rsplit("\r", 1)[1] == "counting: 4 in 0:04, 1/s\n"


def test_a_saved_notebook_has_one_line_of_text_and_no_widget():
    source = "from aligngemini.core import progress\nfor _ in progress.progress(range(3), 'counting'): pass"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(book, timeout=120).execute()
    [output] = book.cells[0].outputs
    assert list(output.data) == ["text/plain"] and output.data["text/plain"].startswith("counting: 3 in 0:00")
    assert "widgets" not in book.metadata


def test_whoever_switches_bars_off_still_gets_the_summary_and_the_file(file, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    list(progress.progress(range(3), "counting"))
    assert capsys.readouterr().err.startswith("counting: 3 in") and json.loads(file.read_text())["done"] == 3


def test_the_file_says_label_done_total_seconds_left(file):
    list(progress.progress(iter("abc"), "reading", total=3))
    state = json.loads(file.read_text())
    assert (state["label"], state["done"], state["total"]) == ("reading", 3, 3)
    assert state["left"] == 0 and state["seconds"] >= 0


def test_an_unknown_total_is_no_trouble(file, capsys):
    assert len(list(progress.progress(iter("abc"), "reading"))) == 3
    assert json.loads(file.read_text())["left"] is None
    assert "reading: 3 in" in capsys.readouterr().err


def test_notes_of_a_trainer_end_with_the_last_step(file, capsys):
    for step in (51, 75, 100):  # resumed from a checkpoint
        progress.note("training", step, 100)
    assert json.loads(file.read_text())["done"] == 100
    assert capsys.readouterr().err.count("training: 100") == 1
    progress.note("training", 1, 1)
    assert "training: 1 in" in capsys.readouterr().err


def test_steps_done_before_do_not_count_for_the_rate(file, capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    progress.note("training on", 50, 100)
    clock[0] = 10.0
    progress.note("training on", 60, 100)
    clock[0] = 50.0
    progress.note("training on", 100, 100)
    assert json.loads(file.read_text())["left"] == 0
    assert capsys.readouterr().err.splitlines()[-1] == "training on: 100 in 0:50, 1/s"


def test_a_full_disk_is_one_clear_sentence(file, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress.json_file, "write", full)
    with pytest.raises(DiskFull, match="run the same command again"):
        list(progress.progress(range(2), "counting"))


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (750, "12:30"), (11100, "3:05:00")])
def test_durations_are_spelt_as_people_read_them(seconds, text):
    assert progress.spell(seconds) == text
