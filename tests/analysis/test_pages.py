"""Executed notebooks as pages of Markdown."""

import base64

import nbformat
import plotly.graph_objects as go
from nbformat import v4

from aligngemini.analysis import report
from tests.analysis import pages

PIXEL = base64.b64encode(b"pixels").decode()


def page(folder, tmp_path, monkeypatch, *outputs):
    """The page of a made-up notebook with these outputs, and the names of the images beside it."""
    made = [v4.new_output("display_data", data) for data in outputs]
    cell = v4.new_code_cell("1 + 1", outputs=made)
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Why"), cell]), tmp_path / "notebook.ipynb")
    monkeypatch.setattr(pages.pio, "to_image", lambda figure, *args, **kwargs: b"drawn")
    run = type("Run", (), {"notebook": "05_analysis", "name": "abc", "path": lambda self, name: tmp_path / name})()
    text = pages.write(run, folder).read_text(encoding="utf-8")
    return text, {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*g")}


def test_figures_and_pictures_become_files_that_the_page_shows(tmp_path, monkeypatch):
    figure = {report.PLOTLY: go.Figure(go.Bar(y=[1])).to_plotly_json(), "text/html": "<p>needs a network</p>"}
    picture = {"text/html": f'<style>a {{}}</style><img style="width:9px" src="data:image/png;base64,{PIXEL}">'}
    text, files = page(tmp_path / "pages", tmp_path, monkeypatch, figure, picture)
    assert set(files.values()) == {b"drawn", b"pixels"}
    assert all(f'src="{name}"' in text for name in files)
    assert "# Why" in text and "needs a network" not in text and "style" not in text and "base64" not in text


def test_images_of_an_earlier_run_make_room(tmp_path, monkeypatch):
    figure = {report.PLOTLY: go.Figure(go.Bar(y=[1])).to_plotly_json()}
    assert len(page(tmp_path / "pages", tmp_path, monkeypatch, {"text/plain": "first"}, figure)[1]) == 1
    assert len(page(tmp_path / "pages", tmp_path, monkeypatch, figure)[1]) == 1


def test_a_page_says_where_a_widget_stands_and_where_the_run_lies(tmp_path, monkeypatch):
    widget, place = {report.WIDGET: {}, "text/plain": "Box()"}, {"text/plain": "outputs/05_analysis/.abc.partial"}
    text, _ = page(tmp_path / "pages", tmp_path, monkeypatch, widget, place)
    assert pages.EXPLORER in text and "outputs/05_analysis/abc" in text and "partial" not in text
