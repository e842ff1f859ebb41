"""Notebook 05: choose a model, pure or other supervision, a benchmark and a subset; see the numbers and the
verdicts that flip."""

from functools import partial

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML

from aligngemini.analysis import figures, pictures, style
from aligngemini.analysis.models import folder
from aligngemini.analysis.tables import first
from aligngemini.branches.registry import title
from aligngemini.core import stages, values
from aligngemini.explore import show

IMAGES = 8
EVERY, BESIDE = "every subset", "side by side"
OTHERS = ("mixed", "union")


def read(run_or_folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the alignment and flips tables of a run. Raises Refused if it is not complete."""
    place = folder(run_or_folder)
    table, flips = (values.read(place / f"{name}.parquet", maker=stages.ANALYSIS) for name in ("alignment", "flips"))
    return table, flips


def picture(run_or_folder) -> go.Figure:
    """Return all models over the first benchmark: the static figure to stand above the explorer."""
    return figures.alignment(first(read(run_or_folder)[0]))


def supervision(run_or_folder, most: int = IMAGES) -> ipywidgets.Widget:
    """Return the explorer over alignment.parquet and flips.parquet of a run of notebook 05; it selects rows and
    draws them.

    `most` is the number of flipped images shown at once.
    """
    table, turned = read(run_or_folder)
    controls = _controls(table)
    return show.explorer(controls, partial(_view, table, turned, most), ipywidgets.HBox(controls))


def _controls(table: pd.DataFrame) -> list:
    """Return model, supervision, benchmark, subset; the subsets are those of the chosen benchmark."""
    look = {"layout": ipywidgets.Layout(width="max-content", margin="0 18px 0 0")}
    buttons = {"style": {"description_width": "auto", "button_width": "112px"}, **look}
    narrow = {"style": {"description_width": "auto"}, **look}
    models = [(title(name), name) for name in table.model.unique() if name != "fusion"]
    kinds = ["pure", *[name for name in OTHERS if name in table.supervision.unique()], BESIDE]
    subsets = {
        name: [EVERY, *[subset for subset in rows.subset.unique() if subset != "mean"]]
        for name, rows in table.groupby("benchmark", sort=False)
    }
    benchmark = ipywidgets.Dropdown(options=list(subsets), description="benchmark", **narrow)
    subset = ipywidgets.Dropdown(options=subsets[benchmark.value], description="subset", **narrow)
    benchmark.observe(lambda change: setattr(subset, "options", subsets[change["new"]]), names="value")
    return [
        ipywidgets.ToggleButtons(options=models, description="model", **buttons),
        ipywidgets.ToggleButtons(options=kinds, value=BESIDE, description="supervision", **buttons),
        benchmark,
        subset,
    ]


def _view(table: pd.DataFrame, turned: pd.DataFrame, most: int, model, kind, benchmark, subset) -> tuple:
    """Return the bars and the flipped images of one choice, with a line between them."""
    chosen = flipped(turned[turned.benchmark == benchmark], model, kind, subset)
    said = f"that {kind} supervision alone has right"
    said = "judged differently by pure and other supervision" if kind == BESIDE else said
    line = f"{len(chosen)} pictures {said}; the {min(most, len(chosen))} with scores furthest apart:"
    text = HTML(f"<div style='font:14px {style.FONT};padding:4px 0'>{line}</div>")
    return bars(table[table.benchmark == benchmark], model, kind, subset), text, pictures.flips(chosen.head(most))


def bars(table: pd.DataFrame, model: str, kind: str, subset: str) -> go.Figure:
    """Return the alignment figure of a model and "pure", another supervision, or BESIDE for all; subsets that are not
    chosen stay, but faint."""
    side = table.supervision.where(table.supervision.isin(OTHERS), "pure")
    rows = table[(table.model == model) & ((kind == BESIDE) | (side == kind))]
    figure = figures.alignment(rows, f"{title(model)} on {subset}", style.colours(table.model))
    if subset != EVERY:
        figure.for_each_trace(
            lambda bar: bar.update(marker_opacity=[1.0 if x == subset else 0.25 for x in bar.x]), {"type": "bar"}
        )
    return figure


def flipped(turned: pd.DataFrame, model: str, kind: str, subset: str) -> pd.DataFrame:
    """Return rows of the flips table, one per image: unless BESIDE, those that this supervision alone has right."""
    wanted = (turned.model == model) & ((kind == BESIDE) | (turned.right == kind))
    chosen = turned[wanted & ((subset == EVERY) | (turned.subset == subset))]
    return chosen.drop_duplicates(["pure", "other", "image_id"])
