"""Where each image lies by the scores of two branches, where the thresholds run, what a rule calls fake."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import figures, style
from aligngemini.branches import registry


def plane(
    fused: pd.DataFrame,
    region,
    names: Sequence[str],
    title: str = "The plane of two scores",
    most: int = style.SHOWN,
) -> go.Figure:
    """The first branch's score against the second's, coloured by truth, over the part that a rule calls fake; of one
    branch alone a histogram.

    `fused` has the columns label and <name>_score of the branches `names`; `region` is what fusion.rules.region gives
    for these. An image is drawn once however many subsets it stands in, one that lacks a score not at all, and at most
    `most` in all.
    """
    columns = [f"{name}_score" for name in names]
    whole = fused[fused[columns].notna().all(axis=1)]
    if "image_id" in whole:
        whole = whole.drop_duplicates("image_id")
    if len(names) == 1:
        return figures.histogram(whole.assign(score=whole[columns[0]]), region.thresholds[0], title)
    shown = style.thin(whole, most)
    others = "other branches at their thresholds; " if region.others else ""
    note = f"shaded: fake by {region.rule}; dashed: thresholds; {others}{len(shown)} of {len(whole)} images drawn"
    across, upwards = (f"{registry.title(name)} score" for name in names)
    figure = style.figure(style.titled(title, note), 560, xaxis=_axis(across), yaxis=_axis(upwards))
    figure.add_trace(_shade(region))
    for value, part in shown.groupby("label"):
        figure.add_trace(_points(part, names, *style.TRUTH[value]))
    dash = {"dash": "dash", "color": style.INK, "width": 1.3}
    return figure.add_vline(region.thresholds[0], line=dash).add_hline(region.thresholds[1], line=dash)


def _shade(region) -> go.Heatmap:
    """The region as a pale layer."""
    return go.Heatmap(
        x=region.side,
        y=region.side,
        z=region.verdict,
        zmin=0,
        zmax=1,
        showscale=False,
        hoverinfo="skip",
        colorscale=[[0, style.faint(style.REAL, 0.05)], [1, style.faint(style.FAKE, 0.14)]],
    )


def _points(part: pd.DataFrame, names: Sequence[str], name: str, colour: str) -> go.Scatter:
    """The images of one truth; reals are diamonds, fakes circles, so that colour is not needed to tell them
    apart."""
    marker = {
        "color": style.faint(colour, 0.6),
        "size": 7,
        "symbol": "diamond" if name == "real" else "circle",
        "line": {"color": "white", "width": 0.5},
    }
    across, upwards = (registry.title(name) for name in names)
    return go.Scatter(
        x=part[f"{names[0]}_score"].round(4),
        y=part[f"{names[1]}_score"].round(4),
        mode="markers",
        name=name,
        text=_words(part),
        marker=marker,
        hovertemplate=f"%{{text}}<br>{across} %{{x:.3f}}, {upwards} %{{y:.3f}}<extra>%{{fullData.name}}</extra>",
    )


def _axis(text: str) -> dict:
    """An axis from 0 to 1 with a little room."""
    return {
        "range": [-0.02, 1.02],
        "title": {"text": text},
        "showgrid": False,
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
    }


def _words(part: pd.DataFrame) -> list[str]:
    """What hovering says of each image."""
    words = part["axis"].where(part.label == 1, "real") if "axis" in part else pd.Series("", part.index)
    if "family" in part:
        words = words + part.family.fillna("").map(lambda family: f", {family}" if family else "")
    return words.tolist()
