"""Where each image lies by the scores of two branches, where the thresholds run, what a rule calls fake."""

from collections.abc import Sequence

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from aligngemini.analysis import figures, style
from aligngemini.branches import registry

SHOWN = 4000  # points drawn in one figure; more only slow the browser down


def plane(
    fused: pd.DataFrame, region, names: Sequence[str], title: str = "The plane of two scores", most: int = SHOWN
) -> go.Figure:
    """The first branch's score against the second's, coloured by truth, over the part that a rule calls fake; of one
    branch alone a histogram.

    `fused` has the columns label and <name>_score of the branches `names`; `region` is what fusion.rules.region gives
    for these. An image is drawn once however many subsets it stands in, one that lacks a score not at all, and at most
    `most` in all.
    """
    columns = [f"{name}_score" for name in names]
    rated = fused[fused[columns].notna().all(axis=1)]
    rated = rated.drop_duplicates("image_id") if "image_id" in rated else rated
    if len(names) == 1:
        return figures.histogram(rated.assign(score=rated[columns[0]]), region.thresholds[0], title)
    points = rated.sample(min(most, len(rated)), random_state=0).sort_index().round(dict.fromkeys(columns, 4))
    others = "other branches at their thresholds; " if region.others else ""
    note = f"shaded: fake by {region.rule}; dashed: thresholds; {others}{len(points)} of {len(rated)} images drawn"
    figure = px.scatter(
        points.assign(truth=points.label.map(dict(enumerate(style.TRUTH)))),
        x=columns[0],
        y=columns[1],
        color="truth",
        color_discrete_map=style.TRUTH,
        symbol="truth",
        symbol_map={"real": "diamond", "fake": "circle"},  # so that colour is not needed to tell them apart
        opacity=0.6,
        render_mode="svg",
        hover_data=[name for name in ("axis", "family") if name in points],
        labels={column: f"{registry.title(name)} score" for column, name in zip(columns, names, strict=True)},
        **style.look(title, note, 560),
    )
    scale = [[0, style.faint(style.REAL, 0.05)], [1, style.faint(style.FAKE, 0.14)]]
    sides = {"x": region.side, "y": region.side, "z": region.verdict, "zmin": 0, "zmax": 1}
    figure.add_trace(go.Heatmap(**sides, colorscale=scale, showscale=False, hoverinfo="skip"))
    axis = {"range": [-0.02, 1.02], "showgrid": False, "tickvals": [0, 0.25, 0.5, 0.75, 1]}
    figure.update_traces(marker={"size": 7, "line": {"color": "white", "width": 0.5}}, selector={"type": "scatter"})
    figure.update_xaxes(**axis).update_yaxes(**axis).update_layout(legend_title="")
    return figure.add_vline(region.thresholds[0], **style.DASHED).add_hline(region.thresholds[1], **style.DASHED)
