"""The report is one file that needs nothing else."""

import json
import re

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from aligngemini.analysis import families, pairs, report, style, tables
from aligngemini.core.run import Run

NAMED = "Run(04_fusion/ccc, running)"


def cells():
    """Cells of notebook 04 as they are when its run is not complete yet."""
    figure = {
        report.PLOTLY: go.Figure(go.Bar(y=[1, 2], text=["</script>", ""])).to_plotly_json(),
        "text/plain": "x",
    }
    widget = {report.WIDGET: {"model_id": "1"}, "text/plain": "VBox(children=())"}
    table = {
        "text/html": '<table border="1"><tr><td>42</td></tr></table><script src="https://cdn.example/x.js"></script>',
        "text/plain": "t",
    }
    run = {"text/html": "<table><tr><td>running</td></tr></table>", "text/plain": NAMED}
    outputs = [new_output("display_data", data) for data in (figure, widget, table, run)]
    outputs.append(new_output("stream", name="stdout", text="done <ok> in outputs/04_fusion/.ccc.partial"))
    return [
        new_markdown_cell("# 04 - Fusion\n\nSome *prose*."),
        new_code_cell("secret_code = 1", outputs=outputs, execution_count=1),
    ]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def run(outputs, manifest):
    """A run of notebook 05 that is not complete, on one of 04, on one of 02 whose notebook is damaged, on one of 01."""
    runs = {}
    told = {"01_data_construction": "ddd", "02_vlm_dpo": "aaa", "04_fusion": "ccc", "05_analysis": ".bbb.partial"}
    for notebook, name in told.items():
        folder = outputs / notebook / name
        folder.mkdir(parents=True)
        manifest(folder, notebook, {"supervision": "mixed"} if notebook == "02_vlm_dpo" else {}, {})
        runs[notebook[:2]] = Run(folder, json.loads((folder / "manifest.json").read_text()))
    data, vlm, fusion, analysis = runs.values()
    data.inputs, vlm.inputs, fusion.inputs = {}, {"data": data}, {"vlm": vlm}
    analysis.inputs, analysis.name = {"fusion": fusion, "vlm 1": vlm}, "bbb"
    analysis.manifest["run"]["status"] = "running"
    notebook = new_notebook(cells=cells(), metadata={"widgets": {"state": {"big": 1}}})
    nbformat.write(notebook, fusion.path("notebook.ipynb"))
    nbformat.write(new_notebook(cells=[new_markdown_cell("no heading")]), data.path("notebook.ipynb"))
    vlm.path("notebook.ipynb").write_text('{"cells": [{"cell_ty')  # cut short
    return analysis


@pytest.fixture(scope="module")
def page(run, images, models, verdicts):
    """The report, with the sentence 'It is so.'"""
    alignment = tables.alignment(verdicts, 50)
    saved = {
        "alignment": alignment,
        "thresholds": tables.cut_twice(images, [each._replace(validation=0.4) for each in models], 50),
        "published": alignment.head(0).assign(ours=0.5),
        "differences": pairs.differences(verdicts, 50),
        "confusion": tables.confusion(verdicts),
        "families": families.found(verdicts),
        "flips": pairs.flips(verdicts),
    }
    return report.report(run, ["It is so.", ""], saved, verdicts, 3)


def own(page):
    """The page without plotly's own script, which names addresses that it never opens here."""
    scripts = sorted(re.findall(r"<script>.*?</script>", page, re.S), key=len)
    return page.replace(scripts[-1], "")


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", own(page))
    assert "cdn.example" not in page and "mathjax" not in own(page).lower() and "require.js" not in own(page).lower()


def test_the_page_has_the_font_of_the_figures(page):
    (styles,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert f"font: 16px/1.6 {style.FONT}" in styles and "&#" not in styles


def test_plotly_is_there_once_and_figures_are_data(page):
    assert page.count("* plotly.js v") == 1
    assert own(page).count('class="figure"') == 6, "five of notebook 05 and one of 04"
    assert "<\\/script>" in page  # a tag inside figure data cannot end its element


def test_code_is_folded_and_output_shown(page):
    assert re.search(r"<details class=\"code\">\s*<summary>code</summary>.*?secret_code", page, re.S)
    assert "<td>42</td>" in page and "done &lt;ok&gt;" in page and "<em>prose</em>" in page


def test_widgets_leave_one_line(page):
    assert "VBox" not in page and report.EXPLORER in page and "big" not in re.findall(r"<main>.*", own(page), re.S)[0]


def test_a_missing_chapter_is_named_with_the_commands_that_make_it(page):
    said = re.sub(r"<[^>]+>", " ", own(page))
    assert "02_vlm_dpo: mixed (missing)" in said and page.count("(missing)") == 1
    assert re.search(
        r"Run aaa of 02_vlm_dpo holds no .*:\s+aligngemini run --scale mini --only 02 .*supervision mixed", said
    )
    assert re.search(r"write this page again:\s+aligngemini run --scale mini --only 05 --force", said)


def test_headline_story_and_figures_stand_before_the_chapters_in_their_order(page):
    main = re.findall(r"<main>.*", own(page), re.S)[0]
    places = [
        main.index(text) for text in ("VLM, semantic", "It is so.", "Which model sees which axis", "Verdicts that")
    ]
    places += [main.index(text) for text in ("no heading", "aaa of 02_vlm_dpo", "Some <em>prose")]
    assert places == sorted(places) and main.count("no heading") == 1
    assert main.count("<img") == 3


def test_a_run_below_is_shown_as_it_is_now_and_not_as_it_was_at_work(page, outputs):
    main = own(page)
    assert "running" not in main and ".partial" not in main
    assert main.count("<td>complete</td>") == 1 and "04_fusion/ccc" in main
    assert f"<td>{outputs}/05_analysis/bbb</td>" in main, "where the run will lie"


def test_the_size_is_told(page):
    said = re.search(r"This file: ([\d.]+) MB", page)
    assert float(said[1]) == pytest.approx(len(page.encode()) / 1e6, abs=0.1)
