"""Where each image lies by the scores of two branches, where the thresholds run, what a rule calls fake."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.ndimage import gaussian_filter
from scipy.special import expit, logit

from aligngemini.analysis import figures, style
from aligngemini.branches import registry

SHOWN = 4000  # points drawn in one figure; more only slow the browser down; the density counts all
TICKS = (0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1)
LINEAR = logit(0.999)  # log-odds up to here are drawn as they are, so that a confident branch leaves room for the rest
TAIL, PACE = 2.5, 12.0  # room for all that lies beyond, and how fast it is used up
EDGE = LINEAR + TAIL
END = EDGE + 0.3  # of the axes
CELLS = 44  # of the density, along each side


def place(score):
    """Where a score in [0, 1] (a number or an array) lies on an axis: its log-odds, squeezed beyond .001 and .999, from
    -EDGE to EDGE; `score` is the way back."""
    odds = logit(score)
    beyond = np.maximum(np.abs(odds) - LINEAR, 0)
    return np.clip(odds, -LINEAR, LINEAR) - np.sign(odds) * TAIL * np.expm1(-beyond / PACE)


def score(place):
    """The score in [0, 1] that lies at a place of an axis (a number or an array)."""
    beyond = np.clip(np.abs(place) - LINEAR, 0, TAIL)
    with np.errstate(divide="ignore"):
        odds = np.clip(np.abs(place), 0, LINEAR) - PACE * np.log1p(-beyond / TAIL)
    return expit(np.sign(place) * odds)


def plane(
    fused: pd.DataFrame, region, names: Sequence[str], title: str = "The plane of two scores", most: int = SHOWN
) -> go.Figure:
    """The first branch's score against the second's in log-odds, real images above fake ones and lines of equal
    density, over the part that a rule calls fake; of one branch alone a histogram.

    `fused` has the columns label and <name>_score of the branches `names`; `region` is what fusion.rules.region gives
    for these. An image is drawn once however many subsets it stands in, one that lacks a score not at all, and at most
    `most` in all. The `customdata` of a point is the index of its row; `place` and `score` turn scores into places on
    the axes and back.
    """
    columns = [f"{name}_score" for name in names]
    rated = fused[fused[columns].notna().all(axis=1)]
    if len(names) == 1:
        return figures.histogram(rated.assign(score=rated[columns[0]]), region.thresholds[0], title)
    rated = rated.drop_duplicates("image_id") if "image_id" in rated else rated
    points = rated.sample(min(most, len(rated)), random_state=0).sort_index()
    others = "other branches at their thresholds; " if region.others else ""
    note = f"shaded: fake by {region.rule}; dashed: thresholds; {others}{len(points)} of {len(rated)} images drawn"
    truth = [("fake", 1), ("real", 0)]  # reals last, so that they lie on top
    side = place(region.side).round(3)
    side[[0, -1]] = -END, END
    scale = [[0, style.faint(style.REAL, 0.05)], [1, style.faint(style.FAKE, 0.14)]]
    shade = {"z": region.verdict, "zmin": 0, "zmax": 1, "colorscale": scale, "showscale": False}
    figure = go.Figure(go.Heatmap(x=side, y=side, hoverinfo="skip", **shade), style.look(title, note, 560))
    figure.add_traces([_density(rated[rated.label == label], columns, name) for name, label in truth])
    figure.add_traces([_points(points[points.label == label], columns, name) for name, label in truth])
    axis = {"range": [-END, END], "showgrid": False, "tickvals": place(np.array(TICKS))}
    axis["ticktext"] = [f"{tick:g}".replace("0.", ".") for tick in TICKS]
    across, upwards = (f"{registry.title(name)} score" for name in names)
    figure.update_xaxes(title_text=across, **axis).update_yaxes(title_text=upwards, **axis)
    lines = [float(place(at)) for at in region.thresholds]
    return figure.add_vline(lines[0], **style.DASHED).add_hline(lines[1], **style.DASHED)


def _points(rows: pd.DataFrame, columns: list[str], truth: str) -> go.Scatter:
    """One dot for each image, a hollow diamond for a real one; its label has its scores and what makes it a fake."""
    real, (x, y) = truth == "real", (place(rows[name]).round(3) for name in columns)
    words = [rows[name].map("{:.3f}".format) for name in columns]
    words += [rows[name].fillna("").astype(str) for name in ("axis", "family") if name in rows]
    look = {"symbol": "diamond-open" if real else "circle", "size": 7 if real else 5, "color": style.TRUTH[truth]}
    look |= {"line": {"width": 1.4}, "opacity": 0.8} if real else {"opacity": 0.4}
    texts = [", ".join(filter(None, row)) for row in zip(*words, strict=True)]
    more = {"name": truth, "customdata": rows.index, "hovertext": texts, "hoverinfo": "text+name"}
    return go.Scatter(x=x, y=y, mode="markers", marker=look, **more)


def _density(rows: pd.DataFrame, columns: list[str], truth: str) -> go.Contour:
    """Lines of equal density of all images of one truth, each at twice the density of the one around it."""
    edges = np.linspace(-END, END, CELLS + 1)
    counts, _, _ = np.histogram2d(*(place(rows[name]) for name in columns), edges)
    heights = np.log2(gaussian_filter(counts, 0.8).T + 0.25).round(2).astype("float32")
    middle = (edges[:-1] + edges[1:]) / 2
    lines = {"coloring": "none", "start": 1, "end": 9, "size": 1}
    look = {"color": style.faint(style.TRUTH[truth], 0.7), "width": 1.2, "dash": "solid" if truth == "real" else "dot"}
    about = {"line": look, "showscale": False, "hoverinfo": "skip", "showlegend": False, "name": f"{truth}, density"}
    return go.Contour(x=middle, y=middle, z=heights, contours=lines, **about)
