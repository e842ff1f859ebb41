"""Severity curves: accuracy on reals and on fakes as pictures suffer, by each branch and by the fusion."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import style
from aligngemini.core.seeds import generator
from aligngemini.images.perturb import PERTURBATIONS
from aligngemini.images.protocols import Protocol
from aligngemini.scores import intervals, metrics

from .verdicts import View

UNTOUCHED = "none"
SIDES = {"real_accuracy": ("real", "solid"), "fake_accuracy": ("fake", "dash")}


def views(protocol: Protocol, names: Iterable[str]) -> list[View]:
    """Every severity of the named perturbations after a protocol."""
    return [View(protocol, name, severity) for name in names for severity in PERTURBATIONS[name].severities]


def table(judged: Iterator[tuple[View, pd.DataFrame]], resamples: int = 2000, confidence: float = 0.95) -> pd.DataFrame:
    """One row per view and model, from pairs of a view and its Bench.verdicts; the view without perturbation stands
    first and opens every curve.

    Columns: protocol, perturbation ("none" for the first), severity (NaN there), unit, origin (whose severities),
    model, value, low, high (balanced accuracy with its interval, or recall or specificity for one class), metric,
    real_accuracy, fake_accuracy, auroc: means over subsets; n.
    """
    rows = []
    for view, frame in judged:
        for model, part in frame[frame["verdict"].notna()].astype({"verdict": int}).groupby("model", sort=False):
            rng = generator("robustness", view.protocol.name, view.perturbation, view.severity, model)
            rows.append(_about(view) | {"model": model} | _measures(part, rng, resamples, confidence))
    return pd.DataFrame(rows)


def _about(view: View) -> dict:
    """What a row is about."""
    kind, name = PERTURBATIONS.get(view.perturbation), view.perturbation or UNTOUCHED
    unit, origin, severity = (kind.unit, kind.origin, view.severity) if kind else ("", "", np.nan)
    about = {"perturbation": name, "severity": severity, "unit": unit, "origin": origin}
    return {"protocol": view.protocol.name} | about


def _measures(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """Means over the subsets of both classes, or over all if each has one."""
    subsets = metrics.per_subset(part)
    both = subsets[subsets["metric"] == metrics.BALANCED]
    kept = both if len(both) else subsets
    names = ["value", "real_accuracy", "fake_accuracy", "auroc"]
    bounds = intervals.mean_accuracy(part, rng, resamples, confidence)
    facts = {"low": bounds.low, "high": bounds.high, "metric": kept["metric"].iloc[0], "n": part["image_id"].nunique()}
    return kept[names].mean().to_dict() | facts


def shown(curves: pd.DataFrame) -> pd.DataFrame:
    """`table` as people read it, without the unit's column."""
    numbers = ["value", "low", "high", "real_accuracy", "fake_accuracy", "auroc"]
    severity = ["" if pd.isna(value) else f"{value:g}" for value in curves["severity"]]
    return curves.drop(columns="unit").round(dict.fromkeys(numbers, 3)).assign(severity=severity)


def figure(curves: pd.DataFrame, title: str) -> go.Figure:
    """One panel per perturbation, severities from weak to strong: colour is the model, reals solid, fakes dashed."""
    names = [name for name in dict.fromkeys(curves["perturbation"]) if name != UNTOUCHED]
    colours = style.colours(curves["model"].unique())
    headings = [f"{name}: {PERTURBATIONS[name].unit}" for name in names]
    panel = style.panels(title, "accuracy on reals (solid) and on fakes (dashed), mean over subsets", headings, 260)
    for place, name in enumerate(names):
        rows = curves[curves["perturbation"].isin((UNTOUCHED, name))]
        for model, part in rows.groupby("model", sort=False):
            severities = [UNTOUCHED if np.isnan(value) else f"{value:g}" for value in part["severity"]]
            for column, (side, dash) in SIDES.items():
                panel.add_scatter(
                    x=severities, y=part[column].tolist(), name=f"{model}, {side}", legendgroup=f"{model} {side}",
                    mode="lines+markers", line={"color": colours[model], "dash": dash, "width": 2.5},
                    showlegend=place == 0, row=place // 4 + 1, col=place % 4 + 1,
                )  # fmt: skip
    panel.update_xaxes(type="category")
    return panel.update_yaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1])
