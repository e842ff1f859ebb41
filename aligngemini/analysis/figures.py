"""Figures of saved tables: table in, plotly figure out, nothing computed that a table should hold."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import style
from aligngemini.branches import registry

HATCH = {"mixed": "/", "union": "x"}
DASH = {"mixed": "dash", "union": "dot"}
SYMBOLS = {"union": "diamond"}
PLACE = ["benchmark", "subset"]
TILES = {"texttemplate": "%{text}", "zmin": 0, "zmax": 1, "xgap": 2, "ygap": 2, "hoverinfo": "skip"}


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `place`: the subset, and for the mean of one of several benchmarks its name."""
    several = table.benchmark.nunique() > 1
    means = "mean, " + table.benchmark if several else table.subset
    return table.assign(place=table.subset.where(table.subset != "mean", means))


def alignment(
    table: pd.DataFrame, title: str = "Which model sees which axis", colours: dict | None = None
) -> go.Figure:
    """Bars of balanced accuracy by subset and model with intervals; a heatmap if there are more than six
    subsets.

    `table` is what tables.alignment gives, one benchmark or several. Colour is the model, hatching is mixed
    supervision, cross-hatching union. `colours` are those of the models, where the table holds not all that were seen.
    """
    if len(table[PLACE].drop_duplicates()) > 7:
        return heatmap(table, title)
    figure = style.figure(
        style.titled(title, "balanced accuracy with interval; dotted: chance"),
        460,
        barmode="group",
        yaxis={"range": [0, 1.04], "title": {"text": "balanced accuracy"}},
    )
    colours = colours or style.colours(table.model)
    for name, rows in table.groupby("title", sort=False):
        colour, hatch = colours[rows.model.iloc[0]], HATCH.get(rows.supervision.iloc[0])
        marker = {
            "color": style.faint(colour, 0.22) if hatch else colour,
            "line": {"color": colour, "width": 1.5},
        }
        if hatch:
            marker["pattern"] = {"shape": hatch, "fgcolor": colour, "size": 7, "solidity": 0.25}
        figure.add_bar(
            x=rows.subset.tolist(),
            y=rows.value.tolist(),
            name=name,
            error_y=style.bounds(rows),
            marker=marker,
            customdata=np.stack([rows.low, rows.high, rows.n], axis=1),
            hovertemplate="%{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}], "
            "n %{customdata[2]:.0f}<extra>%{fullData.name}</extra>",
        )
    style.chance(figure)
    return figure


def heatmap(table: pd.DataFrame, title: str = "Balanced accuracy by subset") -> go.Figure:
    """Models × subsets coloured by value around chance, with the value and its interval written in each cell."""
    table = named(table)
    texts = [f"{row.value:.2f}<br><sup>{row.low:.2f}–{row.high:.2f}</sup>" for row in table.itertuples()]
    texts = np.where(table.value.isna(), "", texts)
    wide = table.assign(text=texts).pivot(index="place", columns="title", values=["value", "text"])
    value, text = (wide[name].loc[table.place.unique(), table.title.unique()] for name in ("value", "text"))
    figure = style.figure(style.titled(title, "with interval; white is chance"), 220 + 46 * len(value))
    figure.add_heatmap(
        z=value.astype(float).to_numpy(),
        x=list(value.columns),
        y=list(value.index),
        text=text.fillna("").to_numpy(),
        **TILES,
        colorscale=[[0, style.FAKE], [0.5, "#FFFFFF"], [1, style.REAL]],
        colorbar={"thickness": 12, "outlinewidth": 0, "tickvals": [0, 0.5, 1]},
    )
    bare = {"ticks": "", "ticklabelstandoff": 6}
    return figure.update_layout(
        yaxis={"autorange": "reversed", **bare}, xaxis={"side": "top", **bare}, margin={"t": 120}
    )


def subsets(table: pd.DataFrame, title: str = "Every subset") -> go.Figure:
    """A dot and its interval for each model (or rule) and subset, subsets from top to bottom."""
    figure = dots(named(table), style.titled(title, "balanced accuracy with interval; dotted: chance"))
    style.chance(figure, horizontal=False)
    return figure


def dots(table: pd.DataFrame, title: str) -> go.Figure:
    """A dot and its interval for each row: the column `place` from top to bottom, `value` (with low and high) across.

    Colour is the model or the rule, a hollow dot mixed supervision, a hollow diamond union.
    """
    key, kind = ("title", "model") if "title" in table else ("rule", "rule")
    names, groups, colours = table.place.unique(), list(table.groupby(key, sort=False)), style.colours(table[kind])
    figure = style.figure(title, 190 + len(names) * (18 + 13 * len(groups)))
    for index, (name, rows) in enumerate(groups):
        places = rows.place.map({place: row for row, place in enumerate(names)})
        shift = (index - (len(groups) - 1) / 2) * 0.72 / len(groups)
        colour = colours[rows[kind].iloc[0]]
        supervision = rows.supervision.iloc[0] if "supervision" in rows else ""
        fill = "white" if supervision in HATCH else colour
        figure.add_scatter(
            x=rows.value.tolist(),
            y=(places + shift).tolist(),
            name=registry.title(name),
            mode="markers",
            error_x=style.bounds(rows) | {"color": colour},
            text=rows.place + ", " + rows.metric,
            marker={"size": 10, "color": fill, "line": {"color": colour, "width": 2}},
            marker_symbol=SYMBOLS.get(supervision, "circle"),
            hovertemplate="%{text}: %{x:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], gridcolor="white")
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=list(names))
    return figure.update_xaxes(range=[-0.02, 1.02], title={"text": "value"})


def roc(verdicts: pd.DataFrame, title: str = "Ranking, whatever the threshold") -> go.Figure:
    """ROC curve of every model over one panel per subset; `verdicts` is what tables.judged gives."""
    from sklearn.metrics import roc_curve

    whole = verdicts[verdicts.score.notna()]
    both = whole.groupby("subset", sort=False).label.nunique()
    names, colours = list(both.index[both == 2]), style.colours(verdicts.model)
    figure = style.panels(title, "share of fakes found against share of reals accused", names, 330)
    for (subset, name), part in whole[whole.subset.isin(names)].groupby(["subset", "title"], sort=False):
        false, true, _ = roc_curve(part.label, part.score)
        keep = np.unique(np.linspace(0, len(false) - 1, 300).astype(int))
        row, column = divmod(names.index(subset), 4)
        dash = DASH.get(part.supervision.iloc[0], "solid")
        figure.add_scatter(
            x=false[keep].round(4),
            y=true[keep].round(4),
            name=name,
            legendgroup=name,
            mode="lines",
            line={"color": colours[part.model.iloc[0]], "dash": dash, "width": 2.5},
            showlegend=subset == names[0],
            row=row + 1,
            col=column + 1,
        )
    figure.update_xaxes(range=[-0.01, 1.01], tickvals=[0, 0.5, 1])
    return figure.update_yaxes(range=[-0.01, 1.01], tickvals=[0, 0.5, 1])


def confusion(table: pd.DataFrame, title: str = "What is taken for what") -> go.Figure:
    """One small square per model and subset: truth from top to bottom, verdict from left to right, in
    shares of a row."""
    names = [f"{row.title}<br>{row.subset}" for row in table.itertuples()]
    across, colours = table.subset.nunique() if table.subset.nunique() <= 5 else 4, style.colours(table.model)
    figure = style.panels(title, "rows: truth; columns: verdict; share of the row and count", names, 190, across)
    for index, row in enumerate(table.itertuples()):
        counts = np.array([[row.real_real, row.real_fake], [row.fake_real, row.fake_fake]])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        text = [
            [f"{s:.0%}<br><sup>{c}</sup>" for s, c in zip(*pair, strict=True)]
            for pair in zip(share, counts, strict=True)
        ]
        figure.add_heatmap(
            z=share,
            x=["real", "fake"],
            y=["real", "fake"],
            text=text,
            **TILES,
            showscale=False,
            colorscale=[[0, style.PALE], [1, style.faint(colours[row.model], 0.75)]],
            row=index // across + 1,
            col=index % across + 1,
        )
    figure.update_yaxes(autorange="reversed", ticks="", ticklabelstandoff=6)
    return figure.update_xaxes(ticks="", ticklabelstandoff=6).update_annotations(font_size=12)


def histogram(frame: pd.DataFrame, threshold: float, title: str = "Scores by truth") -> go.Figure:
    """Histogram of `score` (0 to 1) by `label`, with the threshold; images without a score are left out."""
    figure = style.figure(
        style.titled(title, f"dashed: threshold {threshold:.3f}"),
        360,
        barmode="overlay",
        xaxis={"range": [0, 1], "title": {"text": "p(fake)"}},
        yaxis={"title": {"text": "images"}},
    )
    edges = np.linspace(0, 1, 51)
    for value, (name, colour) in style.TRUTH.items():
        counts, _ = np.histogram(frame.score[(frame.label == value) & frame.score.notna()], edges)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=0.02,
            name=name,
            opacity=0.65,
            marker={"color": colour, "line": {"width": 0}},
        )
    figure.add_vline(threshold, line={"dash": "dash", "color": style.INK, "width": 1.5})
    return figure


def training(history: pd.DataFrame, title: str = "Training", guess: float | None = np.log(2)) -> go.Figure:
    """Curves over `step`: one panel for each other numeric column of `history` (loss, margin, lr and the
    like).

    A dotted line marks a margin of zero, and `guess` (None: no line), the loss of a model that has learnt nothing
    yet: ln 2 where two answers are weighed.
    """
    names = [name for name in history if name != "step" and pd.api.types.is_numeric_dtype(history[name])]
    figure = style.panels(title, "by optimiser step", [name.replace("_", " ") for name in names], 280, 3)
    start = {"margin": 0.0} if guess is None else {"loss": guess, "margin": 0.0}
    for index, name in enumerate(names):
        place = {"row": index // 3 + 1, "col": index % 3 + 1}
        known = history[history[name].notna()]
        figure.add_scatter(
            x=known.step,
            y=known[name],
            mode="lines",
            showlegend=False,
            line={"color": style.FUSION, "width": 2},
            **place,
        )
        if name in start:
            figure.add_hline(start[name], line={"dash": "dot", "color": style.MUTED, "width": 1.5}, **place)
    return figure.update_xaxes(title={"text": "step"})
