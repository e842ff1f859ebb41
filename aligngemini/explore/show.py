"""Put figures and HTML into an Output without a round trip through the kernel: what all explorers share."""

import ipywidgets
from IPython.core.formatters import DisplayFormatter

from aligngemini.analysis import style

LABEL = {"style": {"description_width": "110px"}, "layout": ipywidgets.Layout(width="420px")}
_FORMAT = DisplayFormatter()


def explorer(controls: list, view, *boxes: ipywidgets.Widget) -> ipywidgets.Widget:
    """Return `boxes` above an Output that shows what `view` makes of the values of the controls, whenever one changes:
    plotly figures and HTML objects, put there all at once, so that nothing flickers.
    """
    output = ipywidgets.Output(layout=ipywidgets.Layout(min_height="600px"))

    def update(_=None) -> None:
        shown = view(*(control.value for control in controls))
        output.outputs = tuple({"output_type": "display_data", "data": bundle(each), "metadata": {}} for each in shown)

    for control in controls:
        control.observe(update, names="value")
    update()
    return ipywidgets.VBox([*boxes, output])


def bundle(shown) -> dict:
    """Return the mime bundle of a plotly figure (as data only) or of anything that IPython can display."""
    if hasattr(shown, "to_plotly_json"):
        return style.DATA.to_mimebundle(shown.to_dict()) | {"text/plain": "a plotly figure"}
    return _FORMAT.format(shown)[0]
