"""Figures of saved tables: table in, plotly figure out, nothing computed that a table should hold.

Colour is the model or the rule, and so is hatching, shape or dash, which also tell mixed and union supervision apart.
"""

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from sklearn.metrics import roc_curve

from aligngemini.analysis import style, tables
from aligngemini.branches import registry

ACROSS = 4  # panels beside each other
POINTS = 300  # of one ROC curve
LEAST = 0.5  # images at the foot of a histogram, so that one image has a bar
CHANCE = [[0, style.LOW], [0.5, "#FFFFFF"], [1, style.HIGH]]


def alignment(
    table: pd.DataFrame, title: str = "Which model sees which axis", colours: dict | None = None
) -> go.Figure:
    """Bars of balanced accuracy by subset and model with intervals; a heatmap if there are more than six subsets.

    `table` is what tables.alignment gives, of one benchmark or several and of any number of models. `colours` are those
    of the models, where the table holds not all that were seen.
    """
    if len(table[["benchmark", "subset"]].drop_duplicates()) > 7:
        return heatmap(table, title)
    figure = px.bar(
        _bounded(table),
        x="subset",
        y="value",
        error_y="above",
        error_y_minus="below",
        **style.coded(table, "pattern_shape", colours),
        barmode="group",
        hover_data={"low": ":.3f", "high": ":.3f", "n": True, "above": False, "below": False},
        labels={"value": "balanced accuracy", "subset": ""},
        range_y=[0, 1.04],
        **style.look(title, "balanced accuracy with interval; dotted: chance", 460),
    )
    figure.for_each_trace(lambda bar: bar.update(marker_line={"color": bar.marker.color, "width": 1.5}))
    return figure.add_hline(0.5, **style.DOTTED).update_layout(legend_title="")


def heatmap(table: pd.DataFrame, title: str = "Balanced accuracy by subset") -> go.Figure:
    """Models × subsets coloured by value around chance, with the value and its interval written in each cell."""
    texts = [f"{row.value:.2f}<br><sup>{row.low:.2f}–{row.high:.2f}</sup>" for row in table.itertuples()]
    table = named(table).assign(text=np.where(table.value.isna(), "", texts))
    wide = table.pivot(index="place", columns="title").loc[table.place.unique()]
    value, text = (wide[name][table.title.unique()] for name in ("value", "text"))
    look = style.look(title, "with interval; blank is chance", 220 + 46 * len(value))
    return _tiles(value.astype(float), text.fillna(""), CHANCE, **look).update_xaxes(side="top")


def agreement(table: pd.DataFrame) -> go.Figure:
    """Models × models coloured by Cohen's kappa of their verdicts; `table` is what tables.agreement gives."""
    note = "Cohen's kappa of verdicts on the same images; blank is chance"
    look = style.look("Who agrees with whom", note, 240 + 40 * len(table))
    figure = _tiles(table, table.map("{:.2f}".format), [[0, "#FFFFFF"], [1, style.HIGH]], **look)
    return figure.update_xaxes(side="bottom")


def _tiles(values: pd.DataFrame, texts: pd.DataFrame, scale: list, **look) -> go.Figure:
    """Squares coloured by `values` from 0 to 1, with `texts` written in them."""
    figure = px.imshow(values, zmin=0, zmax=1, color_continuous_scale=scale, aspect="auto", **look)
    figure.update_traces(text=texts.to_numpy(), texttemplate="%{text}", textfont_color=style.INK, xgap=2, ygap=2)
    figure.update_traces(hoverinfo="skip")
    return figure.update_xaxes(title="", ticks="").update_yaxes(title="", ticks="")


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `place`: the subset, and for the mean of one of several benchmarks its name."""
    several = table.benchmark.nunique() > 1
    return table.assign(place=table.subset.mask(several & (table.subset == "mean"), "mean, " + table.benchmark))


def subsets(table: pd.DataFrame, title: str = "Every subset") -> go.Figure:
    """A dot and its interval for each model (or rule) and subset, subsets from top to bottom."""
    note = "balanced accuracy with interval; dotted: chance"
    return dots(named(table), title, note).add_vline(0.5, **style.DOTTED)


def dots(table: pd.DataFrame, title: str, note: str, colours: dict | None = None) -> go.Figure:
    """A dot and its interval for each row: the column `place` from top to bottom, `value` (with low and high) across,
    by the columns title and model (in `colours`, see `alignment`), or by the column rule.
    """
    if "title" not in table:
        table = table.assign(title=table.rule.map(registry.title), model=table.rule)
    places, models = table.place.nunique(), table.title.nunique()
    figure = px.scatter(
        _bounded(table),
        x="value",
        y="place",
        error_x="above",
        error_x_minus="below",
        **style.coded(table, "symbol", colours),
        hover_data={"metric": True, "value": ":.3f", "above": False, "below": False},
        labels={"place": "", "value": ""},
        orientation="h",
        range_x=[-0.02, 1.02],
        **style.look(title, note, 190 + places * (18 + 13 * models)),
    )
    figure.for_each_trace(lambda trace: trace.update(offsetgroup=trace.name))  # models beside each other, not stacked
    figure.update_traces(marker_size=11).update_yaxes(autorange="reversed", gridcolor="white")
    return figure.update_layout(scattermode="group", legend_title="")


def families(table: pd.DataFrame, by: str = "family", colours: dict | None = None) -> go.Figure:
    """Families or generators down, the share called fake across, real images, which should stay left, in the last row.

    `table` is what tables.families gives, or by "generator" tables.generators.
    """
    what = {"family": "violation"}.get(by, by)
    note = f"share called fake, with interval; the last row are real images; about {int(table.n.median())} of each"
    place = table[by].replace(tables.REALS, f"no {what}")
    order = pd.Series(pd.factorize(place)[0], table.index).sort_values(ascending=False, kind="stable").index
    rows = table.assign(place=place, value=table.called_fake, metric="share called fake").loc[order]
    return dots(rows, f"Which {what}s each model finds", note, colours)


def _bounded(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(above=table.high - table.value, below=table.value - table.low)


def roc(verdicts: pd.DataFrame) -> go.Figure:
    """ROC curve of every model over one panel per subset; `verdicts` is what tables.judged gives."""
    rated = verdicts[verdicts.score.notna()]
    both = rated.groupby("subset").label.transform("nunique") == 2
    curves = []
    for (subset, name), part in rated[both].groupby(["subset", "title"], sort=False):
        false, true, _ = roc_curve(part.label, part.score)
        points = np.unique(np.linspace(0, len(false) - 1, POINTS).astype(int))
        curves.append(pd.DataFrame({"x": false[points], "y": true[points], "title": name, "subset": subset}))
    figure = panels(
        pd.concat(curves).round(4) if curves else pd.DataFrame(columns=["x", "y", "title", "subset"]),
        "subset",
        style.titled("Ranking, whatever the threshold", "share of fakes found against share of reals accused"),
        330,
        **style.coded(verdicts, "line_dash"),
    )
    axis = {"range": [-0.01, 1.01], "tickvals": [0, 0.5, 1]}
    return figure.update_xaxes(**axis).update_yaxes(**axis)


def degradation(table: pd.DataFrame, title: str = "Under perturbations") -> go.Figure:
    """Accuracy on reals and on fakes by severity, one panel per perturbation, from weak to strong.

    `table` has a row for each perturbation, severity and model, and for the untouched images ("none"), which open every
    panel; columns perturbation, severity (NaN for none), unit, model, real_accuracy and fake_accuracy.
    """
    start, sides = table.perturbation == "none", {"real_accuracy": "real", "fake_accuracy": "fake"}
    parts = [
        pd.concat([table[start], rows]).assign(panel=f"{name}: {rows.unit.iloc[0]}")
        for name, rows in table[~start].groupby("perturbation", sort=False)
    ]
    keys = ["panel", "severity", "model"]
    long = pd.concat(parts).rename(columns=sides).melt(keys, list(sides.values()), "truth", "accuracy")
    figure = panels(
        long.assign(severity=long.severity.map("{:g}".format).replace("nan", "none")),
        "panel",
        style.titled(title, "accuracy on reals (solid) and on fakes (dashed), mean over subsets"),
        260,
        x="severity",
        y="accuracy",
        color="model",
        color_discrete_map=style.colours(table.model),
        line_dash="truth",
        line_dash_map={"real": "solid", "fake": "dash"},
        markers=True,
    )
    figure.update_xaxes(type="category", matches=None, showticklabels=True)
    return figure.update_yaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1])


def panels(
    table: pd.DataFrame, by: str, title: str, tall: int, across: int = ACROSS, x: str = "x", y: str = "y", **more
) -> go.Figure:
    """Lines over x and y in small panels, `across` beside each other and `tall` px high, each under its value of the
    column `by`; further arguments go to px.line.
    """
    rows = max(1, -(-table[by].nunique() // across))
    layout = {"facet_col": by, "facet_col_wrap": across, "facet_col_spacing": 0.05, "facet_row_spacing": 0.3 / rows}
    layout |= {"labels": {"x": "", "y": ""}, "render_mode": "svg", "template": style.NAME, "height": 150 + tall * rows}
    figure = px.line(table, x, y, **layout | more)
    figure.for_each_annotation(lambda note: note.update(text=note.text.partition("=")[2]))
    return figure.update_layout(title={"text": title}, legend_title="")


def histogram(frame: pd.DataFrame, threshold: float, title: str = "Scores by truth") -> go.Figure:
    """Histograms of `score` (0 to 1) by `label`, one panel per `subset` (if there are several), with the threshold;
    images without a score are left out. Counts are logarithmic: most scores lie near 0 and 1.
    """
    rated = frame[frame.score.notna()]
    rated = rated if "subset" in rated else rated.assign(subset="")
    bins, middle = np.linspace(0, 1, 51), np.linspace(0.01, 0.99, 50)
    parts = [
        pd.DataFrame(
            {"p": middle, "images": np.histogram(part.score, bins)[0], "truth": [*style.TRUTH][label], "subset": at}
        )
        for (at, label), part in rated.groupby(["subset", "label"], sort=False)
    ]
    rows = max(1, -(-rated.subset.nunique() // ACROSS))
    several = {"facet_col": "subset", "facet_col_wrap": ACROSS, "facet_row_spacing": 0.3 / rows}
    figure = px.bar(
        pd.concat(parts) if parts else pd.DataFrame(columns=["p", "images", "truth", "subset"]),
        x="p",
        y="images",
        color="truth",
        pattern_shape="truth",
        pattern_shape_map={"real": "", "fake": "/"},
        barmode="overlay",
        opacity=0.65,
        color_discrete_map=style.TRUTH,
        labels={"p": "p(fake)"},
        **(several if rated.subset.nunique() > 1 else {}),
        **style.look(title, f"dashed: threshold {threshold:.3f}; logarithmic", 200 + 190 * rows),
    )
    figure.for_each_annotation(lambda note: note.update(text=note.text.partition("=")[2]))
    figure.update_layout(bargap=0, legend_title="").update_xaxes(range=[0, 1], tickvals=[0, 0.5, 1])
    tallest = max((part.images.max() for part in parts), default=1)
    figure.update_yaxes(type="log", dtick=1, range=np.log10([LEAST, 1.3 * tallest]))  # plotly finds none here itself
    return figure.update_traces(marker_line_width=0).add_vline(threshold, **style.DASHED)


def training(history: pd.DataFrame, title: str = "Training", guess: float | None = np.log(2)) -> go.Figure:
    """Curves over `step`: one panel for each other numeric column of `history` (loss, margin, lr and the like).

    A dotted line marks a margin of zero, and `guess` (None: no line), the loss of a model that has learnt nothing
    yet: ln 2 where two answers are weighed.
    """
    numbers = history.select_dtypes("number").drop(columns="step")
    long = numbers.assign(step=history.step).melt("step").dropna()
    look = {"x": "step", "y": "value", "facet_col_spacing": 0.1}  # each panel has numbers of its own on the left
    figure = panels(long, "variable", style.titled(title, "by optimiser step"), 280, 3, **look)
    figure.for_each_annotation(lambda note: note.update(text=note.text.replace("_", " ")))
    figure.update_traces(line_color=style.FUSION).update_yaxes(matches=None, showticklabels=True, title="")
    marks = {"margin": 0.0} | ({} if guess is None else {"loss": guess})
    for trace, name in zip(figure.data, long.variable.unique(), strict=True):
        if name in marks:
            place = {"xref": f"{trace.xaxis} domain", "yref": trace.yaxis, "x0": 0, "x1": 1}
            figure.add_shape(type="line", y0=marks[name], y1=marks[name], **place, **style.DOTTED)
    return figure
