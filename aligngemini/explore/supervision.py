"""Notebook 05: choose a model, pure or other supervision, a benchmark and a subset; see the numbers and the
verdicts that flip."""

import ipywidgets
import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import figures, pictures, style
from aligngemini.analysis.tables import first, folder
from aligngemini.branches.registry import title
from aligngemini.core import values
from aligngemini.explore import show

PICTURES = 8
EVERY, BESIDE = "every subset", "side by side"
OTHERS = ("mixed", "union")


def supervision(run_or_folder, most: int = PICTURES) -> ipywidgets.Widget:
    """The explorer over alignment.parquet and flips.parquet of a run of notebook 05; it selects rows and
    draws them.

    `most` is the number of flipped pictures shown at once.
    """
    table, turned = read(run_or_folder)
    controls = _controls(table)
    output = ipywidgets.Output(layout=ipywidgets.Layout(min_height="500px"))

    def update(_=None) -> None:
        show.put(output, *_view(table, turned, *(control.value for control in controls), most))

    for control in controls:
        control.observe(update, names="value")
    update()
    return ipywidgets.VBox([ipywidgets.HBox(controls), output])


def picture(run_or_folder) -> go.Figure:
    """All models over the first benchmark: the static figure to stand above the explorer."""
    return figures.alignment(first(read(run_or_folder)[0]))


def read(run_or_folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The alignment and flips tables of a run."""
    place = folder(run_or_folder)
    return (
        pd.read_parquet(show.need(place / "alignment.parquet", "05_analysis")),
        values.read(show.need(place / "flips.parquet", "05_analysis")),
    )


def _controls(table: pd.DataFrame) -> list:
    """Model, supervision, benchmark, subset; the subsets are those of the chosen benchmark."""
    models = [(title(name), name) for name in table.model.unique() if name != "fusion"]
    look = {"layout": ipywidgets.Layout(width="max-content", margin="0 18px 0 0")}
    buttons = {"style": {"description_width": "auto", "button_width": "112px"}, **look}
    narrow = {"style": {"description_width": "auto"}, **look}
    names = list(table.benchmark.unique())
    benchmark = ipywidgets.Dropdown(options=names, description="benchmark", **narrow)
    subset = ipywidgets.Dropdown(options=_subsets(table, names[0]), description="subset", **narrow)
    benchmark.observe(lambda change: setattr(subset, "options", _subsets(table, change["new"])), names="value")
    return [
        ipywidgets.ToggleButtons(options=models, description="model", **buttons),
        ipywidgets.ToggleButtons(options=_kinds(table), value=BESIDE, description="supervision", **buttons),
        benchmark,
        subset,
    ]


def _subsets(table: pd.DataFrame, benchmark: str) -> list[str]:
    names = table.subset[table.benchmark == benchmark].unique()
    return [EVERY, *[name for name in names if name != "mean"]]


def _kinds(table: pd.DataFrame) -> list[str]:
    """Pure, the other supervisions that occur, and all side by side."""
    told = table.supervision.unique()
    return ["pure", *[name for name in OTHERS if name in told], BESIDE]


def _view(table: pd.DataFrame, turned: pd.DataFrame, model, kind, benchmark, subset, most: int) -> tuple:
    """The bars and the flipped pictures of one choice."""
    chosen = flipped(turned[turned.benchmark == benchmark], model, kind, subset)
    line = show.line(_count(chosen, kind, most))
    return bars(table[table.benchmark == benchmark], model, kind, subset), line, pictures.flips(chosen.head(most))


def bars(table: pd.DataFrame, model: str, kind: str, subset: str) -> go.Figure:
    """The alignment figure of one choice; subsets that are not chosen stay, but faint."""
    colours = style.colours(table.model)
    figure = figures.alignment(select(table, model, kind), f"{title(model)} on {subset}", colours)
    if subset != EVERY:
        figure.for_each_trace(
            lambda bar: bar.update(marker_opacity=[1.0 if x == subset else 0.25 for x in bar.x]),
            {"type": "bar"},
        )
    return figure


def select(table: pd.DataFrame, model: str, kind: str) -> pd.DataFrame:
    """Rows of the alignment table for a model and 'pure', another supervision, or BESIDE for all."""
    side = table.supervision.where(table.supervision.isin(OTHERS), "pure")
    return table[(table.model == model) & ((kind == BESIDE) | (side == kind))]


def flipped(turned: pd.DataFrame, model: str, kind: str, subset: str) -> pd.DataFrame:
    """Rows of the flips table, one per picture: unless BESIDE, those that this supervision alone has right."""
    wanted = (turned.model == model) & ((kind == BESIDE) | (turned.right == kind))
    chosen = turned[wanted & ((subset == EVERY) | (turned.subset == subset))]
    return chosen.drop_duplicates(["pure", "other", "image_id"])


def _count(chosen: pd.DataFrame, kind: str, most: int) -> str:
    """One line above the pictures."""
    said = "judged differently by pure and other supervision"
    said = said if kind == BESIDE else f"that {kind} supervision alone has right"
    return f"{len(chosen)} pictures {said}; the {min(most, len(chosen))} with scores furthest apart:"
