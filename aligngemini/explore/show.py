"""What explorers share: outputs filled without a round trip through the kernel, work put off, a probability to set."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets
import pandas as pd
import traitlets
from IPython.core.formatters import DisplayFormatter
from jinja2 import Environment, FileSystemLoader

from aligngemini.analysis import plane, style
from aligngemini.branches import registry

NAMED = {"style": {"description_width": "90px"}, "layout": ipywidgets.Layout(width="auto")}
WIDE = NAMED | {"layout": ipywidgets.Layout(flex="1 1 auto", width="auto")}
STEP = 0.02  # of a slider, in places on an axis of the plane
SIX_DIGITS = (lambda at: float(f"{at:.6g}"), float)  # of a number as it is shown
QUIET = 0.25  # seconds without a change before slow work begins
TEMPLATES = Environment(autoescape=True, loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True)
LACKING = "A figure stands here that this page cannot draw: install plotly where the Jupyter server runs."
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
        return style.DATA.to_mimebundle(shown.to_dict()) | {"text/plain": LACKING}
    return _FORMAT.format(shown)[0]


def row(*boxes: ipywidgets.Widget) -> ipywidgets.Box:
    """Boxes side by side, below each other where the page is too narrow."""
    return ipywidgets.Box(boxes, layout=ipywidgets.Layout(display="flex", flex_flow="row wrap", overflow="hidden"))


def verdict(row, names: Sequence[str], thresholds: Sequence[float], more: Sequence[str] = ()) -> str:
    """HTML of what a detector says of one image: `row` of what it gives, the names of its branches, their thresholds,
    and further lines.
    """
    said = {0: "real", 1: "fake"}.get(row.verdict, "no verdict") if row.verdict is not pd.NA else "no verdict"
    branches = [
        {"title": registry.title(name), "score": row[f"{name}_score"], "threshold": at, "colour": colour}
        for name, at, colour in zip(names, thresholds, map(style.colours(names).get, names), strict=True)
    ]
    by = " and ".join(registry.called(name) for name in row.fired.split("+") if name)
    return TEMPLATES.get_template("verdict.html.j2").render(
        verdict=said, by=by, branches=branches, reason=row.reason, more=more, font=style.FONT
    )


def said(text: str) -> str:
    """HTML of a sentence to the user."""
    return TEMPLATES.from_string("<span style='opacity:.75' role='status'>{{ text }}</span>").render(text=text)


class Later:
    """Work that begins when nothing has changed for a moment, or if it is `steady`, a moment after the first change;
    at once where no event loop runs.
    """

    def __init__(self, work: Callable[[], None], quiet: float = QUIET, steady: bool = False) -> None:
        self.work, self.quiet, self.steady, self.waiting = work, quiet, steady, None

    def __call__(self) -> None:
        """Put the work off; several calls in a row are answered once."""
        if self.waiting and self.steady:
            return
        if self.waiting:
            self.waiting.cancel()
        try:
            self.waiting = asyncio.get_running_loop().call_later(self.quiet, self._work)
        except RuntimeError:
            self.work()

    def _work(self) -> None:
        self.waiting = None
        self.work()


class Number(ipywidgets.HBox):
    """A number, set by a slider or typed. A screen reader has no name for a slider of ipywidgets, but for the box."""

    value = traitlets.Float()

    def __init__(self, name: str, tooltip: str, **ends: float) -> None:
        self.slider = ipywidgets.FloatSlider(description=name, tooltip=tooltip, readout=False, **ends, **WIDE)
        self.typed = ipywidgets.BoundedFloatText(tooltip=tooltip, layout=ipywidgets.Layout(width="80px"), **ends)
        super().__init__([self.slider, self.typed])
        traitlets.link((self.slider, "value"), (self, "value"))
        traitlets.link((self, "value"), (self.typed, "value"), transform=SIX_DIGITS)


class Probability(ipywidgets.HBox):
    """A probability, set by a slider that is as fine near 0 and 1 as in the middle, or typed; it shows six digits."""

    value = traitlets.Float(0.5)

    def __init__(self, name: str, value: float) -> None:
        ends = {"min": -plane.EDGE, "max": plane.EDGE, "step": STEP, "readout": False}
        self.slider = ipywidgets.FloatSlider(description=name, tooltip=f"{name}, slider", **ends, **WIDE)
        self.typed = ipywidgets.BoundedFloatText(
            value, min=0, max=1, step=None, tooltip=f"{name}, 0 to 1", layout=ipywidgets.Layout(width="150px")
        )
        super().__init__([self.slider, self.typed])
        self.observe(lambda _: self._follow(), "value")
        self.slider.observe(lambda change: self._slide(change["new"]), "value")
        self.value = value
        traitlets.link((self, "value"), (self.typed, "value"), transform=SIX_DIGITS)

    def _follow(self) -> None:
        """Move the slider to a value that was not set by it."""
        if not self._is_near(self.slider.value):
            self.slider.value = float(plane.place(self.value))

    def _slide(self, at: float) -> None:
        if not self._is_near(at):
            self.value = float(plane.score(at))

    def _is_near(self, at: float) -> bool:
        """Whether a slider at `at` shows the value: the browser rounds to whole steps, and says so."""
        return bool(abs(at - plane.place(self.value)) <= 0.51 * STEP)

    @property
    def disabled(self) -> bool:
        """Whether neither slider nor text can be changed."""
        return self.slider.disabled

    @disabled.setter
    def disabled(self, value: bool) -> None:
        self.slider.disabled = self.typed.disabled = value
