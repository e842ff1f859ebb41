"""A figure in an executed notebook: seen in JupyterLab, in the report, and in a page that nbconvert makes."""

import re

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
