"""The plane of two scores: where each image lies, where the thresholds run, what a rule calls fake."""

import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import style


def plane(fused: pd.DataFrame, region, title: str = "The plane of two scores", most: int = style.SHOWN) -> go.Figure:
    """VLM score against expert score, coloured by truth, over the part that a rule calls fake.

    `fused` has the columns label, vlm_score, expert_score; `region` is what fusion.rules.region gives. An
    image is drawn once however many subsets it stands in, one without both scores not at all, and at most
    `most` in all.
    """
    whole = fused[fused.vlm_score.notna() & fused.expert_score.notna()]
    if "image_id" in whole:
        whole = whole.drop_duplicates("image_id")
    shown = style.thin(whole, most)
    note = f"shaded: fake by {region.rule}; dashed: thresholds; {len(shown)} of {len(whole)} images drawn"
    figure = style.figure(style.titled(title, note), 560, xaxis=_axis("VLM score"), yaxis=_axis("expert score"))
    figure.add_trace(_shade(region))
    for value, part in shown.groupby("label"):
        figure.add_trace(_points(part, *style.TRUTH[value]))
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


def _points(part: pd.DataFrame, name: str, colour: str) -> go.Scatter:
    """The images of one truth; reals are diamonds, fakes circles, so that colour is not needed to tell them
    apart."""
    marker = {
        "color": style.faint(colour, 0.6),
        "size": 7,
        "symbol": "diamond" if name == "real" else "circle",
        "line": {"color": "white", "width": 0.5},
    }
    return go.Scatter(
        x=part.vlm_score.round(4),
        y=part.expert_score.round(4),
        mode="markers",
        name=name,
        text=_words(part),
        marker=marker,
        hovertemplate="%{text}<br>VLM %{x:.3f}, expert %{y:.3f}<extra>%{fullData.name}</extra>",
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
