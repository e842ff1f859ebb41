"""The report is one file that needs nothing else."""

import re

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from aligngemini.analysis import pairs, report, tables


def cells():
    figure = {
        report.PLOTLY: go.Figure(go.Bar(y=[1, 2], text=["</script>", ""])).to_plotly_json(),
        "text/plain": "x",
    }
    widget = {report.WIDGET: {"model_id": "1"}, "text/plain": "VBox(children=())"}
    table = {
        "text/html": '<table border="1"><tr><td>42</td></tr></table><script src="https://cdn.example/x.js"></script>',
        "text/plain": "t",
    }
    outputs = [new_output("display_data", data) for data in (figure, widget, table)]
    outputs.append(new_output("stream", name="stdout", text="done <ok>"))
    return [
        new_markdown_cell("# 05 - Analysis\n\nSome *prose*."),
        new_code_cell("secret_code = 1", outputs=outputs, execution_count=1),
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory, verdicts, manifest):
    outputs = tmp_path_factory.mktemp("outputs")
    empty, full = outputs / "04_fusion" / "aaa", outputs / "05_analysis" / "bbb"
    for folder in (empty, full):
        folder.mkdir(parents=True)
    manifest(full, "05_analysis", {}, {})
    tables.alignment(verdicts, 50).to_parquet(full / "alignment.parquet")
    pairs.differences(verdicts, 50).to_parquet(full / "differences.parquet")
    notebook = new_notebook(cells=cells(), metadata={"widgets": {"state": {"big": 1}}})
    nbformat.write(notebook, full / "notebook.ipynb")
    path = report.build([empty, full], full / "report.html")
    assert not list(full.glob(".*partial"))
    return path.read_text(encoding="utf-8")


def own(page):
    """The page without plotly's own script, which names addresses that it never opens here."""
    scripts = sorted(re.findall(r"<script>.*?</script>", page, re.S), key=len)
    return page.replace(scripts[-1], "")


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", own(page))
    assert "cdn.example" not in page and "mathjax" not in own(page).lower() and "require.js" not in own(page).lower()


def test_plotly_is_there_once_and_figures_are_data(page):
    assert page.count("* plotly.js v") == 1
    assert own(page).count('class="figure"') == 1
    assert "<\\/script>" in page  # a tag inside figure data cannot end its element


def test_code_is_folded_and_output_shown(page):
    assert re.search(r"<details class=\"code\">\s*<summary>code</summary>.*?secret_code", page, re.S)
    assert "<td>42</td>" in page and "done &lt;ok&gt;" in page and "<em>prose</em>" in page


def test_widgets_leave_one_line(page):
    assert "VBox" not in page and report.EXPLORER in page and "big" not in re.findall(r"<main>.*", own(page), re.S)[0]


def test_missing_notebooks_are_named(page):
    assert "Missing: 04_fusion, run aaa" in page and "04_fusion (missing)" in page


def test_headline_and_story_stand_on_top(page):
    main = own(page)
    assert main.index("VLM, semantic") < main.index("Some <em>prose")
    assert "on the same pictures" in main


def test_the_size_is_told(page):
    said = re.search(r"This file: ([\d.]+) MB", page)
    assert float(said[1]) == pytest.approx(len(page.encode()) / 1e6, abs=0.1)


def test_a_report_without_figures_or_headline_is_small(tmp_path):
    folder = tmp_path / "01_data_construction" / "ccc"
    folder.mkdir(parents=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell("no heading")]), folder / "notebook.ipynb")
    path = report.build([folder], tmp_path / "report.html")
    assert path.stat().st_size < 60_000 and "01_data_construction" in path.read_text()
