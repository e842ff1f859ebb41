"""A figure in an executed notebook: seen in JupyterLab, in the report, and in a page that nbconvert makes."""

import re
from types import SimpleNamespace

import nbformat
import plotly.express as px
import plotly.io as pio
import pytest
from nbconvert import HTMLExporter

from aligngemini.analysis import report, style


@pytest.fixture
def shown(monkeypatch):
    """What a cell that ends with a figure puts into its notebook."""
    monkeypatch.setattr(pio.renderers, "default", pio.renderers.default)
    monkeypatch.setattr(pio.templates, "default", pio.templates.default)
    style.use()
    return px.bar(x=["real", "fake"], y=[1, 2], title="Where the scores lie")._repr_mimebundle_()


@pytest.fixture
def notebook(shown):
    output = nbformat.v4.new_output("execute_result", shown, execution_count=1)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("figure", outputs=[output])])


def test_lab_draws_it_from_its_data_alone(shown):
    data = shown[report.PLOTLY]
    assert len(data["data"][0]["y"]) == 2 and data["layout"]["title"]["text"] == "Where the scores lie"


def test_a_notebook_exported_to_html_holds_it_and_says_what_it_needs(notebook):
    text, _ = HTMLExporter().from_notebook_node(notebook)
    assert "Plotly.newPlot(" in text and "Where the scores lie" in text and "from the network" in text
    assert len(text) < 10**6  # plotly itself is 4.8 MB


def test_the_report_still_asks_the_network_for_nothing(notebook):
    (output,) = notebook.cells[0].outputs
    text = report._output(output, None)["data"]["text/html"]
    assert 'class="figure"' in text and "Where the scores lie" in text
    assert "cdn.plot.ly/plotly" not in text


def test_the_sentence_goes_once_the_figure_is_drawn(shown):
    page = shown["text/html"]
    identity = re.search(r'id="([0-9a-f-]{36})"', page)[1]
    assert f"getElementById('{identity}').closest('.carried').querySelector('p').remove()" in page


def _contrast(one: float, other: float) -> float:
    """The contrast of two luminances, 1 to 21, after WCAG 2."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _luminance(colour: str, inverted: float) -> float:
    """The luminance of '#RRGGBB' behind the CSS filter invert()."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    seen = [each * (1 - inverted) + (1 - each) * inverted for each in channels]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in seen]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [style.INK, style.MUTED])
def test_texts_can_be_read_in_the_dark_theme_of_jupyterlab_and_in_the_light_one(colour):
    inverted = float(re.search(r"invert\(([.\d]+)\)", style.LAB)[1])
    for share in (0, inverted):
        assert _contrast(_luminance(colour, share), _luminance("#FFFFFF", share)) >= 4.5
    assert _luminance("#FFFFFF", inverted) < 0.02, "the page of a figure is dark, too"


def test_the_report_and_exported_pages_hold_no_script_for_jupyterlab(tmp_path):
    script = nbformat.v4.new_output("display_data", {style.SCRIPT: style.LAB_DARK})
    words = nbformat.v4.new_output("display_data", {"text/plain": "words"})
    cells = [nbformat.v4.new_code_cell("style.use()", outputs=[script, words]), nbformat.v4.new_markdown_cell("prose")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebook.ipynb")
    run = SimpleNamespace(name="a", path=tmp_path.joinpath)
    assert [output.data for output in report.executed(run).cells[0].outputs] == [{"text/plain": "words"}]
