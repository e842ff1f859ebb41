"""Notebook 05: choose a run, a model, pure or other supervision, a benchmark and a subset; see the numbers, the
training and the verdicts that flip."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML
from traitlets import TraitError

from aligngemini.analysis import figures, pictures, style, tables
from aligngemini.analysis.models import folder
from aligngemini.branches.registry import title
from aligngemini.core import saved_runs, stages, values
from aligngemini.core.params import Refused
from aligngemini.explore import show

IMAGES = 8  # of one page
EVERY, BESIDE, ALL, ANY = "every subset", "side by side", "all", "any violation"
OTHERS = ("mixed", "union")
SUBSET, TRAINING = "by subset", "training curves"
SHARES = {"by violation": ("family", tables.families), "by generator": ("generator", tables.generators)}
NOTHING = "The run records nothing of this kind for this choice."


def read(run_or_folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the alignment and flips tables of a run, the latter with the path of each image's twin ("": not known).
    Raises Refused if it is not complete.
    """
    place = folder(run_or_folder)
    table, flips = (values.read(place / f"{name}.parquet", maker=stages.ANALYSIS) for name in ("alignment", "flips"))
    return table, with_twins(flips, run_or_folder)


def with_twins(flips: pd.DataFrame, run_or_folder) -> pd.DataFrame:
    """Return the table with `pair_id` and `twin`: the path of the image of the other class of the same pair and subset.
    Only a run knows the paths, a folder does not.
    """
    if not hasattr(run_or_folder, "data"):
        return flips.assign(twin="")
    test = values.read(run_or_folder.data.path("test.parquet"))
    member = ["subset", "pair_id", "label"]
    paths = test[test.pair_id != ""].drop_duplicates(member).set_index(member).path
    pair = test.drop_duplicates(["subset", "image_id"]).set_index(["subset", "image_id"]).pair_id
    keys = [(row.subset, pair.get((row.subset, row.image_id), ""), 1 - row.label) for row in flips.itertuples()]
    return flips.assign(pair_id=[key[1] for key in keys], twin=[paths.get(key, "") for key in keys])


def picture(run_or_folder) -> go.Figure:
    """Return all models over the first benchmark: the static figure to stand above the explorer."""
    return figures.alignment(tables.first(read(run_or_folder)[0]))


def supervision(run_or_folder, most: int = IMAGES) -> ipywidgets.Widget:
    """Return the explorer over a run of notebook 05; it selects what the run holds and draws it. Where the outputs hold
    several complete runs, a list above shows another one; choices that this has, too, stay. A folder has no violations,
    generators and training.

    `most` is the number of flipped images on one page. Raises Refused if the run is not complete.
    """
    explorer, name = _explorer(run_or_folder, most), getattr(run_or_folder, "name", "")
    runs = {run.name: run for run in saved_runs.complete(stages.ANALYSIS)}
    if len(runs) < 2 or name not in runs:
        return explorer
    options = [(f"{run.scale}, seed {run.seed}, {run.name}", run.name) for run in runs.values()]
    chosen = ipywidgets.Dropdown(options=options, value=name, description="run", tooltip="run of notebook 05")
    box = ipywidgets.VBox([chosen, explorer])

    def change(event: dict) -> None:
        nonlocal explorer
        try:
            explorer = _explorer(runs[event["new"]], most, explorer.children[0].children)
            box.children = [chosen, explorer]
        except Refused as error:  # the run was deleted or damaged since
            box.children = [chosen, ipywidgets.HTML(show.said(str(error)))]

    chosen.observe(change, names="value")
    return box


def _explorer(run_or_folder, most: int, before: Sequence[ipywidgets.Widget] = ()) -> ipywidgets.Widget:
    """The explorer of one run, its controls set as those `before` wherever it has these choices, on the first page."""
    table, turned = read(run_or_folder)
    controls = _controls(table, turned, hasattr(run_or_folder, "inputs"))
    for control, old in zip(controls[:-1], before, strict=False):
        with suppress(TraitError):  # the run has no such choice
            control.value = old.value
    return show.explorer(controls, partial(_view, run_or_folder, table, turned, most), show.row(*controls))


def _controls(table: pd.DataFrame, turned: pd.DataFrame, whole: bool) -> list:
    """Return model, supervision, chart, benchmark, subset, violation, page; the subsets are those of the chosen
    benchmark, and a `whole` run has more charts than a folder.
    """
    look = {"layout": ipywidgets.Layout(width="max-content", margin="0 18px 4px 0")}
    buttons = {"style": {"description_width": "auto", "button_width": "112px"}, **look}
    narrow = {"style": {"description_width": "auto"}, **look}
    models = [(title(name), name) for name in table.model.unique() if name != "fusion"] + [(ALL, ALL)]
    families = [ANY, *sorted(set(turned.family) - {""})]
    kinds = ["pure", *[name for name in OTHERS if name in table.supervision.unique()], BESIDE]
    subsets = {
        name: [EVERY, *[subset for subset in rows.subset.unique() if subset != "mean"]]
        for name, rows in table.groupby("benchmark", sort=False)
    }
    drawn = [SUBSET, *([*SHARES, TRAINING] if whole else [])]
    lists = {"chart": drawn, "benchmark": list(subsets), "subset": next(iter(subsets.values())), "violation": families}
    chart, benchmark, subset, family = (
        ipywidgets.Dropdown(options=options, description=text, tooltip=text, **narrow)
        for text, options in lists.items()
    )
    page = ipywidgets.BoundedIntText(
        1, min=1, max=9999, description="page", tooltip="page of the flipped images", **narrow
    )
    benchmark.observe(lambda change: setattr(subset, "options", subsets[change["new"]]), names="value")
    model = ipywidgets.ToggleButtons(options=models, description="model", tooltip="model", **buttons)
    kind = ipywidgets.ToggleButtons(options=kinds, value=BESIDE, description="supervision", **buttons)
    return [model, kind, chart, benchmark, subset, family, page]


def _view(
    run, table: pd.DataFrame, turned: pd.DataFrame, most: int, model, kind, chart, benchmark, subset, family, page
) -> tuple:
    """Return the chart and a page of flipped images of one choice, each beside its twin, with a line between them."""
    chosen = flipped(turned[turned.benchmark == benchmark], model, kind, subset, family)
    pages = max(1, -(-len(chosen) // most))
    page = min(page, pages)
    said = f"that {kind} supervision alone has right"
    said = "judged differently by pure and other supervision" if kind == BESIDE else said
    line = f"{len(chosen)} images {said}, one of each scene, scores furthest apart first; page {page} of {pages}:"
    text = HTML(f"<div role='status' style='font:14px {style.FONT};padding:4px 0'>{line}</div>")
    shown = chosen.iloc[(page - 1) * most : page * most]
    cards = pictures.pairs(shown, "path", "twin", pictures.flip_caption, ("", "its twin"))
    shown = _charts(run, table, model, kind, chart, benchmark, subset) or [HTML(show.said(NOTHING))]
    return *shown, text, cards


def _charts(run, table: pd.DataFrame, model, kind, chart, benchmark, subset) -> list[go.Figure]:
    """Return the figures of one choice: bars by subset, shares by violation or generator, or curves of training."""
    if chart == SUBSET:
        return [bars(table[table.benchmark == benchmark], model, kind, subset)]
    if chart == TRAINING:
        return curves(run, rows_of(table, model, kind))
    (by, count), rows = SHARES[chart], rows_of(tables.of_run(run)[2], model, kind)
    rows = rows[(rows.benchmark == benchmark) & ((subset == EVERY) | (rows.subset == subset))]
    shares = count(rows, run.params["confidence"])
    return [figures.families(shares, by, style.colours(table.model))] if len(shares) else []


def curves(run, rows: pd.DataFrame) -> list[go.Figure]:
    """Return the training of each run of notebooks 02 and 03 that `rows` of the alignment table come from."""
    trained = {each.name: each.path("adapter", "history.parquet") for each in run.inputs.values()}
    chosen = rows[rows.run.isin(trained)].drop_duplicates("title")
    titles = {row.run: f"{row.title}: training, run {row.run}" for row in chosen.itertuples()}
    return [figures.training(values.read(trained[name]), text, None) for name, text in titles.items()]


def rows_of(table: pd.DataFrame, model: str, kind: str) -> pd.DataFrame:
    """Return the rows of a model or ALL, and of "pure", another supervision, or BESIDE for all."""
    side = table.supervision.where(table.supervision.isin(OTHERS), "pure")
    models = table.model != "fusion" if model == ALL else table.model == model
    return table[models & ((kind == BESIDE) | (side == kind))]


def bars(table: pd.DataFrame, model: str, kind: str, subset: str) -> go.Figure:
    """Return the alignment figure of what `rows_of` selects; subsets that are not chosen stay, but faint."""
    who = "All branches" if model == ALL else title(model)
    figure = figures.alignment(rows_of(table, model, kind), f"{who} on {subset}", style.colours(table.model))
    if subset != EVERY:
        figure.for_each_trace(
            lambda bar: bar.update(marker_opacity=[1.0 if x == subset else 0.25 for x in bar.x]), {"type": "bar"}
        )
    return figure


def flipped(turned: pd.DataFrame, model: str, kind: str, subset: str, family: str = ANY) -> pd.DataFrame:
    """Return rows of the flips table, one per scene: unless BESIDE, those that this supervision alone has right."""
    wanted = ((model == ALL) | (turned.model == model)) & ((kind == BESIDE) | (turned.right == kind))
    wanted &= (family == ANY) | (turned.family == family)
    return pictures.one_of_each_scene(turned[wanted & ((subset == EVERY) | (turned.subset == subset))])
