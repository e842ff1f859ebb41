"""What both explorers share: putting a figure or HTML into an Output without a round trip through the
kernel."""

from pathlib import Path

import ipywidgets
from IPython.core.formatters import DisplayFormatter
from IPython.display import HTML

from aligngemini.analysis import renderer, style
from aligngemini.core.params import Refused

LABEL = {"style": {"description_width": "110px"}, "layout": ipywidgets.Layout(width="420px")}
_FORMAT = DisplayFormatter()


def put(output: ipywidgets.Output, *shown) -> None:
    """Replace what `output` shows by plotly figures and HTML objects, all at once, so that nothing
    flickers."""
    output.outputs = tuple({"output_type": "display_data", "data": bundle(each), "metadata": {}} for each in shown)


def bundle(shown) -> dict:
    """The mime bundle of a plotly figure (as data only) or of anything that IPython can display."""
    if hasattr(shown, "to_plotly_json"):
        return renderer.DATA.to_mimebundle(shown.to_dict()) | {"text/plain": "a plotly figure"}
    return _FORMAT.format(shown)[0]


def line(text: str) -> HTML:
    """A line of text between two things shown in an Output."""
    return HTML(f"<div style='font:14px {style.FONT};padding:4px 0'>{text}</div>")


def note(text: str) -> ipywidgets.HTML:
    """A grey line under the controls."""
    return ipywidgets.HTML(f"<span style='color:{style.MUTED}'>{text}</span>")


def need(path: Path, notebook: str) -> Path:
    """`path` if it is a file, else a refusal naming the notebook that writes it."""
    if not path.is_file():
        raise Refused(f"There is no {path}; run notebook {notebook} to its end first.")
    return path
