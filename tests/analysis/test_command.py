"""`aligngemini report` makes the pages of runs that are named, and refuses what is none."""

import pytest

from aligngemini import cli
from aligngemini.analysis import report
from aligngemini.analysis.answers import Answer
from aligngemini.core import manifest as record


@pytest.fixture
def here(tmp_path, monkeypatch, manifest):
    """Two runs of notebook 05 and one of 04, whose pages are their names."""
    for notebook, name in [
        ("05_analysis", "aaaa00000000"),
        ("05_analysis", "bbbb00000000"),
        ("04_fusion", "cccc00000000"),
    ]:
        folder = tmp_path / "runs" / notebook / name
        folder.mkdir(parents=True)
        manifest(folder, notebook, {}, {"done": 1})
        record.write(folder, record.seal(record.read(folder)))
    answers = [Answer("Does it?", "Yes", "it does.")]
    monkeypatch.setattr(report, "remake", lambda run: (answers, f"<p>{run.name}</p>"))
    return tmp_path


def test_the_runs_that_are_named_get_a_page_each(here, capsys):
    assert cli.main(["report", "aaaa", "cccc", "--outputs", str(here / "runs")]) == 0
    pages = {path.name: path.read_text() for path in (here / "runs" / "reports").iterdir()}
    assert pages == {"05_aaaa00000000.html": "<p>aaaa00000000</p>", "04_cccc00000000.html": "<p>cccc00000000</p>"}
    said = capsys.readouterr().out
    assert "Does it? Yes: it does." in said and said.count("report: ") == 2


def test_without_a_name_it_is_the_latest_of_notebook_05(here):
    assert cli.main(["report", "--to", str(here / "pages"), "--outputs", str(here / "runs")]) == 0
    (page,) = (here / "pages").iterdir()
    assert page.name.startswith("05_")


def test_an_empty_folder_for_the_pages_is_refused(here, capsys):
    assert cli.main(["report", "--to", "", "--outputs", str(here / "runs")]) == 2
    assert "--to is empty: give a folder" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_refused(here, capsys):
    assert cli.main(["report", "dddd", "--outputs", str(here / "runs")]) == 2
    assert "no complete run dddd" in capsys.readouterr().err.replace("'", "").replace('"', "")
