"""The report is one file that needs nothing else."""

import base64
import gzip
import json
import re

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from plotly.offline import get_plotlyjs

from aligngemini.analysis import pairs, report, style, tables
from aligngemini.core.run import Run

NAMED = "Run(04_fusion/ccc, running)"


def cells():
    """Cells of notebook 04 as they are when its run is not complete yet."""
    figure = {
        report.PLOTLY: go.Figure(go.Bar(y=[1, 2], text=["</script>", ""])).to_plotly_json(),
        "text/plain": "x",
    }
    widget = {report.WIDGET: {"model_id": "1"}, "text/plain": "VBox(children=())"}
    empty = {"text/html": "<table><thead><tr><th>a</th></tr></thead><tbody>\n</tbody></table>", "text/plain": "e"}
    table = {
        "text/html": '<table border="1"><tr><td>42</td></tr></table><script src="https://cdn.example/x.js"></script>',
        "text/plain": "t",
    }
    run = {"text/html": "<table><tr><td>running</td></tr></table>", "text/plain": NAMED}
    outputs = [new_output("display_data", data) for data in (figure, widget, table, empty, run)]
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
    notebook = new_notebook(cells=cells(), metadata={"widgets": {"state": {"a big state": 1}}})
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
        "families": tables.families(verdicts),
        "flips": pairs.flips(verdicts),
    }
    return report.report(run, "It is so.", saved, verdicts, 3)


PACKED = re.compile(r'<script type="application/gzip" id="plotly">(.*?)</script>')


def own(page):
    """The page without plotly's own script."""
    return PACKED.sub("", page)


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", own(page))
    assert "cdn.example" not in own(page) and "mathjax" not in own(page).lower() and "require.js" not in own(page)


def test_the_page_has_the_font_of_the_figures(page):
    (styles,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert f"font: 16px/1.6 {style.FONT}" in styles and "&#" not in styles


def test_plotly_is_there_once_packed_and_figures_are_data(page):
    (packed,) = PACKED.findall(page)
    assert (
        gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs() and len(packed) < len(get_plotlyjs()) / 2
    )
    assert own(page).count('class="figure"') == 5, "four of notebook 05 and one of 04"
    assert "<\\/script>" in page  # a tag inside figure data cannot end its element


def test_code_is_folded_and_output_shown(page):
    assert re.search(r"<details class=\"code\">\s*<summary>code</summary>.*?secret_code", page, re.S)
    assert "<td>42</td>" in page and "done &lt;ok&gt;" in page and "<em>prose</em>" in page


def test_widgets_leave_one_line(page):
    assert "VBox" not in page and report.EXPLORER in page and "a big state" not in page


def test_a_missing_chapter_is_named_with_the_commands_that_make_it(page):
    said = re.sub(r"<[^>]+>", " ", own(page))
    assert "02_vlm_dpo: mixed (missing)" in said and own(page).count("(missing)") == 2, "in the list and at its fold"
    assert re.search(
        r"Run aaa of 02_vlm_dpo holds no .*:\s+aligngemini run --scale mini --only 02 .*supervision mixed", said
    )
    assert re.search(r"write this page again:\s+aligngemini run --scale mini --only 05 --force", said)


def test_the_answers_stand_first_then_chart_pictures_tables_folds_and_chapters(page):
    main = re.findall(r"<main>.*", own(page), re.S)[0]
    opening = ["scale mini · seed 0 · 1 January 2026", "Does alignment hold here?", "It holds:", "Where does it fail?"]
    wanted = [*opening, "Which model sees which axis", ">Real</h3>", "Semantic fakes:", "Pixel fakes:"]
    wanted += ["<th>VLM, semantic</th>", "Verdicts that", "It is so.", "no heading", "aaa of 02_vlm_dpo"]
    places = [main.index(text) for text in [*wanted, "Some <em>prose"]]
    assert places == sorted(places) and main.count("no heading") == 1
    assert main[: places[wanted.index("<th>VLM, semantic</th>")]].count('class="figure"') == 1, "one chart on top"
    assert main.count("<img") == 6 + 2 * 3, "the two kinds of fakes, and three flipped images of each of two models"


def test_what_is_long_lies_behind_folds_and_wide_tables_scroll_under_their_key(page):
    main = re.findall(r"<main>.*", own(page), re.S)[0]
    folds = re.findall(r"<details id=\"\w+\"><summary>([^<]+)</summary>", main)
    assert {"What the numbers leave open", "Differences on the same images", "Every subset", "04 - Fusion"} <= set(
        folds
    )
    tables = re.findall(r"(<div class=\"wide\">)?<table[^>]*>", main[: main.index('class="chapters"')])
    assert len(tables) == 5 and all(tables), "numbers, differences, means, confusion, and the run"
    (styles,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert "position: sticky; left: 0" in styles and ".wide, .chapters" in styles


def test_a_table_without_rows_is_not_shown(page):
    assert "<th>a</th>" not in page and "A table without rows." in page


def test_the_page_has_a_dark_and_a_printed_look(page):
    (styles,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert styles.count("(prefers-color-scheme: dark)") == 2 and "@media print" in styles
    assert f'"{style.INK}": "{style.DARK[style.INK]}"' in page, "figures are drawn in the colours of the theme"


def test_small_models_and_drawn_scenes_are_a_toy_world(run, verdicts, monkeypatch):
    assert "toy" not in report.about(run, verdicts)
    drawn = verdicts.assign(source="world")
    assert report.about(run, drawn).endswith("a toy world: drawn scenes")
    (vlm,) = [each for each in run.below if each.notebook == "02_vlm_dpo"]
    monkeypatch.setitem(vlm.manifest, "models", {"base": {"name": "data/mini/vlm"}})
    assert report.about(run, drawn).endswith("a toy world: drawn scenes, small models")
    assert report.about(run, verdicts.assign(source="folder")).endswith("unknown processors · small models")


def test_a_run_below_is_shown_as_it_is_now_and_not_as_it_was_at_work(page, outputs):
    main = own(page)
    assert "running" not in main and ".partial" not in main
    assert main.count("<td>complete</td>") == 1 and "04_fusion/ccc" in main
    assert f"<td>{outputs}/05_analysis/bbb</td>" in main, "where the run will lie"


def test_the_size_is_told(page):
    said = re.search(r"This file: ([\d.]+) MB", page)
    assert float(said[1]) == pytest.approx(len(page.encode()) / 1e6, abs=0.1)
