"""Severity curves: accuracy on reals and on fakes as images suffer, by each branch and by the fusion."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from aligngemini.core.seeds import generator
from aligngemini.images.perturb import PERTURBATIONS
from aligngemini.images.protocols import Protocol
from aligngemini.scores import intervals, metrics

from .verdicts import View

UNTOUCHED = "none"
VALUES = ["value", "real_accuracy", "fake_accuracy", "auroc"]


def views(protocol: Protocol, names: Iterable[str]) -> list[View]:
    """Return every severity of the named perturbations after a protocol."""
    return [View(protocol, name, severity) for name in names for severity in PERTURBATIONS[name].severities]


def table(judged: Iterator[tuple[View, pd.DataFrame]], resamples: int = 2000, confidence: float = 0.95) -> pd.DataFrame:
    """Return one row per view and model, from pairs of a view and its Bench.verdicts; the view without perturbation
    stands first and opens every curve.

    Columns: protocol, perturbation ("none" for the first), severity (NaN there), unit, origin (whose severities),
    model, value, low, high (balanced accuracy with its interval, or recall or specificity for one class), metric,
    real_accuracy, fake_accuracy, auroc: means over subsets; n.
    """
    rows = []
    for view, frame in judged:
        kind, name = PERTURBATIONS.get(view.perturbation), view.perturbation or UNTOUCHED
        unit, origin, severity = (kind.unit, kind.origin, view.severity) if kind else ("", "", np.nan)
        about = {"protocol": view.protocol.name, "perturbation": name, "severity": severity}
        for model, part in frame[frame["verdict"].notna()].astype({"verdict": int}).groupby("model", sort=False):
            rng = generator("robustness", view.protocol.name, view.perturbation, view.severity, model)
            bounds = intervals.mean_accuracy(part, rng, resamples, confidence)
            rows.append(about | {"unit": unit, "origin": origin, "model": model} | _means(part, bounds))
    return pd.DataFrame(rows)


def _means(part: pd.DataFrame, bounds: intervals.Interval) -> dict:
    """Return means over the subsets of both classes, or over all if each has one."""
    subsets = metrics.per_subset(part)
    both = subsets[subsets["metric"] == metrics.BALANCED]
    rows = both if len(both) else subsets
    facts = {"low": bounds.low, "high": bounds.high, "metric": rows["metric"].iloc[0], "n": part["image_id"].nunique()}
    return rows[VALUES].mean().to_dict() | facts


def shown(curves: pd.DataFrame) -> pd.DataFrame:
    """Return `table` as people read it, without the unit's column."""
    severity = ["" if pd.isna(value) else f"{value:g}" for value in curves["severity"]]
    return curves.drop(columns="unit").round(dict.fromkeys([*VALUES, "low", "high"], 3)).assign(severity=severity)
