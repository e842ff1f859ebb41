"""Degradation curves: how well each detector ranks images as they suffer."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd

from aligngemini.analysis import figures, style
from aligngemini.branches import registry, scoring
from aligngemini.branches.scoring import Look
from aligngemini.core import seeds
from aligngemini.images import feed, perturb
from aligngemini.images.perturb import PERTURBATIONS
from aligngemini.scores import metrics

BATCH = 16
Step = tuple[str, float]


def sample(images: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows of about `count` readable images, equally many of each class and subset, in an order by content. Real
    images that several subsets share have a row in each.
    """
    rows = images[images.reason == ""]
    order = {name: place for place, name in enumerate(seeds.ranked(rows.image_id.drop_duplicates(), "curves"))}
    rows = rows.assign(order=rows.image_id.map(order)).sort_values("order", kind="stable")
    cells = rows.groupby(["subset", "label"])
    return rows[cells.cumcount() < max(1, count // (rows.subset.nunique() + 1))].drop(columns="order")


def scores(images: pd.DataFrame, branches: Sequence, names: Sequence[str]) -> pd.DataFrame:
    """Scores of images under every severity of the perturbations `names`, and untouched ("none", 0).

    One row per image, branch and step: image_id, branch, perturbation, severity, score. What a branch cannot score
    is left out.
    """
    steps = [("none", 0.0), *((name, float(each)) for name in names for each in PERTURBATIONS[name].severities)]
    batches = feed.batched(feed.items(images), BATCH)
    found = scoring.scored(batches, partial(_looks, branches, steps), BATCH, "degradation curves")
    rows = [(each.name, *each.key, each.value) for part in found for each in part if not each.reason]
    return pd.DataFrame(rows, columns=["image_id", "branch", "perturbation", "severity", "score"])


def _looks(branches: Sequence, steps: Sequence[Step], item: feed.Item, rgb: np.ndarray) -> Iterator[Look]:
    for name, severity in steps:
        done = rgb if name == "none" else perturb.apply(name, rgb, severity, str(item.name))
        source = item.source if name == "none" else None
        for branch in branches:
            size = hash(done.shape[:2])
            yield Look((branch.name, name, severity), branch, partial(branch.prepare, done, source), size)


def table(scores: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Mean AUROC over the subsets with both classes: branch, perturbation, severity, auroc."""
    rows = scores.merge(images[["image_id", "label", "subset"]], on="image_id")
    found = []
    for key, part in rows.groupby(["branch", "perturbation", "severity"], sort=False):
        values = [metrics.auroc(each.label, each.score) for _, each in part.groupby("subset")]
        found.append((*key, float(np.nanmean(values))))
    return pd.DataFrame(found, columns=["branch", "perturbation", "severity", "auroc"])


def figure(curves: pd.DataFrame, title: str = "Ranking under degradation"):
    """One panel per perturbation, severities from none to strong; colour and symbol are the detector."""
    names = [name for name in dict.fromkeys(curves.perturbation) if name != "none"]
    start = curves[curves.perturbation == "none"]
    rows = pd.concat(
        [part.assign(panel=name) for name in names for part in (start, curves[curves.perturbation == name])]
    )
    step = rows.severity.map("{:g}".format).where(rows.perturbation != "none", "none")
    rows = rows.assign(detector=rows.branch.map(registry.title), step=step)
    looks = {
        "color": "detector",
        "symbol": "detector",
        "color_discrete_map": style.colours(rows.detector),
        "markers": True,
    }
    note = style.titled(title, "mean AUROC over subsets")
    drawn = figures.panels(rows, "panel", note, 300, x="step", y="auroc", **looks)
    return drawn.update_xaxes(matches=None, type="category").update_yaxes(range=[0, 1.03])
