"""One look for every figure and text: a plotly template and the colours, after Okabe and Ito, that mean the same
throughout."""

import html
import itertools
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from IPython.display import HTML, display
from plotly.io.base_renderers import MimetypeRenderer, PlotlyRenderer

from aligngemini.branches.registry import KINDS

REAL, FAKE = "#0072B2", "#D55E00"
FUSION = "#3B4252"
RULES = {"or": FUSION, "and": "#E69F00", "max": "#56B4E9", "mean": "#882255", "odds": "#999933"}
RULES |= {"majority": "#661100", "or_budget": "#7A869A", "learned": "#117733"}
FIXED = RULES | {kind.name: kind.colour for kind in KINDS.values() if kind.colour} | {"fusion": FUSION}
SPARE = ("#332288", "#44AA99", "#B8860B", "#EE3377", "#88CCEE", "#8C564B", "#BCBD22")  # none is that of a rule
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star", "hexagon", "hourglass")
MARKS = {  # of models or rules in their order: under the supervision that suits them, mixed, and union
    "pattern_shape": {"": ["", ".", "-", "|", "+"], "mixed": ["/", "\\"], "union": ["x"]},
    "line_dash": {"": ["solid", "longdash", "dashdot", "longdashdot"], "mixed": ["dash", "8px,3px"], "union": ["dot"]},
    "symbol": {
        "": SHAPES,
        "mixed": [f"{name}-open" for name in SHAPES],
        "union": [f"{name}-open-dot" for name in SHAPES],
    },
}
TRUTH = {"real": REAL, "fake": FAKE}
CELLS = {"real_real": "real → real", "real_fake": "real → fake", "fake_real": "fake → real", "fake_fake": "fake → fake"}
INK, MUTED, GRID, PALE = "#22272E", "#5C6570", "#E6E9ED", "#F4F6F8"
LOW, HIGH = "#F5B487", "#7FB9DE"  # ends of a scale around chance on which INK can be read
DARK = {"#FFFFFF": "#14181D", "white": "#14181D", INK: "#E8EBEF", MUTED: "#A3ADB8", GRID: "#2D343C", PALE: "#1D232A"}
DARK |= {FUSION: "#C9D1DC", REAL: "#56B4E9", FAKE: "#F0813A", LOW: "#8A4A1C", HIGH: "#1F5F8B"}  # on a dark page
DARK |= {"#AA4499": "#CF77C0", "#009E73": "#2CBF95"}  # and of the branches
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
ROWS = 500  # of a table that are shown: ours
NAME = "aligngemini"
CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}
DATA = PlotlyRenderer(CONFIG)  # a figure as data alone
OFFLINE = (
    "<p>Plotly, which draws this figure, comes from the network here: this is an exported page, or the Jupyter server "
    "lacks it. A server with plotly (<code>pip install plotly</code>) and <code>report.html</code> draw it offline.</p>"
)
SHOWN = "document.getElementById('{plot_id}').closest('.carried').querySelector('p').remove()"  # once it is drawn
# JupyterLab gives figures no theme, and no one grey has contrast 4.5 on white and on #111111: its dark theme shows them
# with lightness reversed, white as #141414, and hues kept. It removes what is scrolled away: the rule is in the head.
LAB = "[data-jp-theme-light='false'] .js-plotly-plot { filter: invert(.92) hue-rotate(180deg) }"
SCRIPT = "application/javascript"
LAB_DARK = f'document.head.insertAdjacentHTML("beforeend", "<style>{LAB}</style>")'
DOTTED = {"line": {"dash": "dot", "color": MUTED, "width": 1.5}, "layer": "below"}
DASHED = {"line": {"dash": "dash", "color": INK, "width": 1.4}}
ERROR = {"thickness": 1.5, "width": 4}
AXIS = {"gridcolor": GRID, "linecolor": MUTED, "zeroline": False, "ticks": "outside", "tickcolor": GRID}
AXIS |= {"title": {"standoff": 10}, "automargin": True}
LAYOUT = {
    "font": {"family": FONT, "size": 14, "color": INK},
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "title": {"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 16}, "font": {"size": 17}},
    "colorway": [REAL, FAKE, *dict.fromkeys((*FIXED.values(), *SPARE))],
    "xaxis": AXIS,
    "yaxis": AXIS,
    "margin": {"l": 64, "r": 24, "t": 110, "b": 92},
    "legend": {"orientation": "h", "x": 0, "y": 0.01, "yref": "container", "yanchor": "bottom"},
    "bargap": 0.25,
    "bargroupgap": 0.08,
    "scattergap": 0.3,
}
TRACES = {"bar": [{"error_y": ERROR | {"color": INK}}], "scatter": [{"error_x": ERROR}]}
pio.templates[NAME] = go.layout.Template(layout=LAYOUT, data=TRACES)


class Carried(MimetypeRenderer):
    """A figure as data, which JupyterLab and the report draw offline, and as HTML for whoever exports the notebook,
    with plotly's script named and not contained (4.8 MB).
    """

    def to_mimebundle(self, fig_dict: dict) -> dict:
        """The MIME types of one figure, given as a dict."""
        script = {"include_plotlyjs": "cdn", "include_mathjax": False, "post_script": SHOWN}
        page = pio.to_html(fig_dict, CONFIG, full_html=False, **script)
        return DATA.to_mimebundle(fig_dict) | {"text/html": f'<div class="carried">{OFFLINE}{page}</div>'}


def use() -> None:
    """Figures in the house template, carried by notebooks for JupyterLab, the report and an export to HTML; text in
    tables up to 120 characters, and up to ROWS rows, so that no subset of ten benchmarks is passed over. In the dark
    theme of JupyterLab figures are dark.
    """
    pd.set_option("display.max_colwidth", 120, "display.max_rows", ROWS)
    pio.templates.default = pio.renderers.default = NAME
    display({SCRIPT: LAB_DARK}, raw=True)


pio.renderers[NAME] = Carried()


def look(title: str, note: str = "", height: int = 420) -> dict:
    """Arguments of every figure of plotly express: the template, a title with a small second line, a height in px."""
    return {"template": NAME, "title": titled(title, note), "height": height}


def titled(title: str, note: str = "") -> str:
    """A title with a small second line."""
    return f"{title}<br><sup style='color:{MUTED}'>{note}</sup>" if note else title


def colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each branch, rule or "fusion": that of a registered branch and of a rule is fixed, others are of
    SPARE in order of appearance.
    """
    others = [name for name in dict.fromkeys(names) if name not in FIXED]
    return FIXED | dict(zip(others, itertools.cycle(SPARE), strict=False))


def coded(table: pd.DataFrame, mark: str, given: dict | None = None) -> dict:
    """Arguments of plotly express by which each title has the colour of its model, and a mark of its own."""
    rows = table.drop_duplicates("title").set_index("title")
    palette, models = given or colours(table.model), [*table.model.unique()]
    supervision = rows.get("supervision", pd.Series("", rows.index))
    marks = {}
    for title, name in supervision.items():
        kinds = MARKS[mark].get(name, MARKS[mark][""])
        marks[title] = kinds[models.index(rows.model[title]) % len(kinds)]
    return {
        "color": "title",
        mark: "title",
        "color_discrete_map": rows.model.map(palette).to_dict(),
        f"{mark}_map": marks,
    }


def faint(colour: str, opacity: float) -> str:
    """'#RRGGBB' as 'rgba(...)'."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def prose(text: str) -> HTML:
    """The lines of a text as paragraphs of a notebook, which break between words as printed text does not."""
    lines = (f"<p style='max-width:110ch;margin:.3em 0'>{html.escape(line)}</p>" for line in text.splitlines())
    return HTML("".join(lines))
