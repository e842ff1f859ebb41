"""One look for every figure and text: a plotly template and the colours, after Okabe and Ito, that mean the same
throughout."""

import html
import itertools
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from IPython.display import HTML
from plotly.subplots import make_subplots

from aligngemini.analysis import renderer
from aligngemini.branches.registry import KINDS

REAL, FAKE = "#0072B2", "#D55E00"
FUSION = "#3B4252"
RULES = {"or": FUSION, "and": "#E69F00", "max": "#56B4E9", "mean": "#882255", "odds": "#999933"}
RULES |= {"majority": "#661100", "or_budget": "#7A869A", "learned": "#117733"}
FIXED = RULES | {kind.name: kind.colour for kind in KINDS.values() if kind.colour} | {"fusion": FUSION}
SPARE = ("#332288", "#44AA99", "#B8860B", "#EE3377", "#88CCEE", "#8C564B", "#BCBD22")  # none is that of a rule
TRUTH = {0: ("real", REAL), 1: ("fake", FAKE)}
INK, MUTED, GRID, PALE = "#22272E", "#6B7480", "#E6E9ED", "#F4F6F8"
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
ROWS = 500  # of a table that are shown: ours
NAME = "aligngemini"
SHOWN = 4000  # points drawn in one figure; more only slow the browser down

AXIS = {
    "gridcolor": GRID,
    "linecolor": MUTED,
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": GRID,
    "ticklen": 5,
    "title": {"standoff": 10},
    "automargin": True,
}
LAYOUT = {
    "font": {"family": FONT, "size": 14, "color": INK},
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "title": {
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "pad": {"l": 16},
        "font": {"size": 17, "color": INK},
    },
    "colorway": [REAL, FAKE, *dict.fromkeys((*FIXED.values(), *SPARE))],
    "xaxis": AXIS,
    "yaxis": AXIS,
    "margin": {"l": 64, "r": 24, "t": 64, "b": 92},
    "legend": {
        "orientation": "h",
        "x": 0,
        "y": 0.01,
        "yref": "container",
        "yanchor": "bottom",
        "font": {"size": 13},
    },
    "hoverlabel": {"font": {"family": FONT, "size": 13}},
    "bargap": 0.25,
    "bargroupgap": 0.08,
}

pio.templates[NAME] = go.layout.Template(layout=LAYOUT)


def figure(title: str, height: int = 420, **layout) -> go.Figure:
    """An empty figure in the house style; further keywords go to its layout. `<br><sub>` in a title makes a
    subtitle."""
    return go.Figure(layout={"template": NAME, "title": {"text": title}, "height": height, **layout})


def titled(title: str, note: str = "") -> str:
    """A title with a small second line."""
    return f"{title}<br><sup style='color:{MUTED}'>{note}</sup>" if note else title


def colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each branch, rule or "fusion": that of a registered branch and of a rule is fixed, others are of
    SPARE in order of appearance.
    """
    others = [name for name in dict.fromkeys(names) if name not in FIXED]
    return FIXED | dict(zip(others, itertools.cycle(SPARE), strict=False))


def faint(colour: str, opacity: float) -> str:
    """'#RRGGBB' as 'rgba(...)'."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def use() -> None:
    """Figures in the house template, carried by notebooks for JupyterLab, the report and an export to HTML; text in
    tables up to 120 characters, and up to ROWS rows, so that no subset of ten benchmarks is passed over.
    """
    pd.set_option("display.max_colwidth", 120, "display.max_rows", ROWS)
    pio.templates.default = NAME
    pio.renderers[NAME] = renderer.Carried()
    pio.renderers.default = NAME


def prose(text: str) -> HTML:
    """The lines of a text as paragraphs of a notebook, which break between words as printed text does not."""
    return HTML(
        "".join(f"<p style='max-width:110ch;margin:.3em 0'>{html.escape(line)}</p>" for line in text.splitlines())
    )


def bounds(rows: pd.DataFrame, value: str = "value") -> dict:
    """plotly error bars from the columns low and high around `value`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows.high - rows[value]).tolist(),
        "arrayminus": (rows[value] - rows.low).tolist(),
        "thickness": 1.5,
        "width": 4,
        "color": INK,
    }


def chance(figure: go.Figure, horizontal: bool = True) -> None:
    """A dotted line at one half."""
    add = figure.add_hline if horizontal else figure.add_vline
    add(0.5, line={"dash": "dot", "color": MUTED, "width": 1.5}, layer="below")


def panels(title: str, note: str, names: list[str], tall: int, across: int = 4) -> go.Figure:
    """Small multiples, up to `across` beside each other, each under its name."""
    rows = max(1, -(-len(names) // across))
    figure = make_subplots(
        rows,
        min(across, max(1, len(names))),
        subplot_titles=names,
        horizontal_spacing=0.07,
        vertical_spacing=0.35 / rows,
    )
    figure.update_layout(
        template=NAME,
        title={"text": titled(title, note)},
        height=150 + tall * rows,
        margin={"t": 116},
    )
    return figure


def thin(frame: pd.DataFrame, most: int = SHOWN) -> pd.DataFrame:
    """At most `most` rows, always the same ones, for drawing only."""
    return frame if len(frame) <= most else frame.sample(most, random_state=0).sort_index()
