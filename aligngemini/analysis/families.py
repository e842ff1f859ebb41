"""Which violations a model finds: the share of each family that it calls fake, beside what it says of reals."""

import pandas as pd
import plotly.graph_objects as go
from scipy.stats import binomtest

from aligngemini.analysis import style

REALS = "none"  # the family of a picture without a violation
SYMBOLS = {"mixed": "circle-open", "union": "x-thin-open"}
HIGH = 150, 44  # px of the figure: with no family, and for each


def found(verdicts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row for each family and model, from what the first model finds least; empty if no fake has a family.

    Columns: title, model, supervision, family (REALS for real pictures), called_fake (the share, with low and high:
    Wilson's interval) and n. `verdicts` is what tables.judged gives; only subsets count whose fakes have nothing
    wrong but meaning, so that no model finds a violation by its pixels.
    """
    told = verdicts[verdicts.verdict.notna() & verdicts.subset.isin(_meaning(verdicts))]
    kinds = told.family.fillna("").mask(told.label == 0, REALS)
    rows = [
        {"title": title, "model": part.model.iloc[0], "supervision": part.supervision.iloc[0], "family": family}
        | _share(part.verdict, confidence)
        for (title, family), part in told.groupby(["title", kinds.rename("kind")], sort=False)
        if family
    ]
    table = pd.DataFrame(rows)
    return _ordered(table) if len(table) and (table.family != REALS).any() else table[:0]


def _meaning(verdicts: pd.DataFrame) -> list[str]:
    """The subsets whose fakes are all semantic."""
    fakes = verdicts[verdicts.label == 1]
    semantic = fakes.axis.eq("semantic").groupby(fakes.subset.to_numpy()).all()
    return semantic.index[semantic].tolist()


def _share(verdict: pd.Series, confidence: float) -> dict[str, float]:
    hits = int(verdict.sum())
    low, high = binomtest(hits, len(verdict)).proportion_ci(confidence, method="wilson")
    return {"called_fake": hits / len(verdict), "low": low, "high": high, "n": len(verdict)}


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    first = table[table.title == table.title.iloc[0]].set_index("family").called_fake
    place = first.drop(REALS, errors="ignore").rank(method="first")
    return table.loc[table.family.map(place).fillna(0).sort_values(kind="stable").index].reset_index(drop=True)


def figure(table: pd.DataFrame, title: str = "Which violations each model finds") -> go.Figure:
    """Families down, the share called fake across; colour is the model, full dots pure supervision. Real pictures,
    which should stay left, are the last row.
    """
    families = table.family.unique()
    note = f"share called fake, with interval; the last row are real pictures; about {int(table.n.median())} of each"
    figure = style.figure(style.titled(title, note), HIGH[0] + HIGH[1] * len(families), scattermode="group")
    colours = style.colours(table.model)
    for name, rows in table.groupby("title", sort=False):
        colour = colours[rows.model.iloc[0]]
        marker = {"color": colour, "size": 9, "line": {"color": colour, "width": 2}}
        marker["symbol"] = SYMBOLS.get(rows.supervision.iloc[0], "circle")
        bounds = style.bounds(rows, "called_fake") | {"color": style.faint(colour, 0.45), "width": 0}
        figure.add_scatter(
            x=rows.called_fake.tolist(), y=rows.family.replace(REALS, "no violation").tolist(), name=name,
            orientation="h", offsetgroup=name, mode="markers", marker=marker, error_x=bounds,
        )  # fmt: skip
    return figure.update_xaxes(range=[-0.02, 1.02])
