"""Which violations a model finds: the share of each family that it calls fake, beside what it says of reals."""

import pandas as pd
import plotly.graph_objects as go
from scipy.stats import binomtest

from aligngemini.analysis import figures

REALS = "none"  # the family of a picture without a violation


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
    """Families down, the share called fake across, real pictures, which should stay left, in the last row."""
    note = f"share called fake, with interval; the last row are real images; about {int(table.n.median())} of each"
    place = table.family.replace(REALS, "no violation")
    order = pd.Series(pd.factorize(place)[0], table.index).sort_values(ascending=False, kind="stable").index
    rows = table.assign(place=place, value=table.called_fake, metric="share called fake").loc[order]
    return figures.dots(rows, title, note)
