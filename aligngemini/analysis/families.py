"""Which violations a model finds: the share of each family that it calls fake, beside what it says of reals."""

import pandas as pd
import plotly.graph_objects as go
from scipy.stats import binomtest

from aligngemini.analysis import figures

REALS = "none"  # the family of an image without a violation


def found(verdicts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row for each family and model, from what the first model finds least; empty if no fake has a family.

    Columns: title, model, supervision, family (REALS for real images), called_fake (the share, with low and high:
    Wilson's interval) and n. `verdicts` is what tables.judged gives; only subsets count whose fakes have nothing
    wrong but meaning, so that no model finds a violation by its pixels.
    """
    fakes = verdicts[verdicts.label == 1]
    semantic = set(fakes.subset) - set(fakes.subset[fakes["axis"] != "semantic"])
    rated = verdicts[verdicts.verdict.notna() & verdicts.subset.isin(semantic)]
    rated = rated.assign(family=rated.family.fillna("").mask(rated.label == 0, REALS))
    keys = ["title", "model", "supervision", "family"]
    table = rated[rated.family != ""].groupby(keys, sort=False).verdict.agg(["sum", "count"]).reset_index()
    if not (table.family != REALS).any():
        return table.head(0)
    tests = [binomtest(int(hits), int(n)) for hits, n in zip(table.pop("sum"), table["count"], strict=True)]
    ends = [test.proportion_ci(confidence, method="wilson") for test in tests]
    table["called_fake"] = [test.statistic for test in tests]
    table["low"], table["high"] = [end.low for end in ends], [end.high for end in ends]
    first = table[table.title == table.title.iloc[0]].set_index("family").called_fake
    place = first.drop(REALS, errors="ignore").rank(method="first")
    order = table.family.map(place).fillna(0).sort_values(kind="stable").index
    return table.rename(columns={"count": "n"}).loc[order].reset_index(drop=True)


def figure(table: pd.DataFrame, title: str = "Which violations each model finds") -> go.Figure:
    """Families down, the share called fake across, real images, which should stay left, in the last row."""
    note = f"share called fake, with interval; the last row are real images; about {int(table.n.median())} of each"
    place = table.family.replace(REALS, "no violation")
    order = pd.Series(pd.factorize(place)[0], table.index).sort_values(ascending=False, kind="stable").index
    rows = table.assign(place=place, value=table.called_fake, metric="share called fake").loc[order]
    return figures.dots(rows, title, note)
