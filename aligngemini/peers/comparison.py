"""Detectors side by side: what one more adds to OR, and what an image costs."""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from aligngemini.branches import branch_runs, registry
from aligngemini.branches.branch_runs import Choice
from aligngemini.core.params import Refused
from aligngemini.core.seeds import generator
from aligngemini.images import decode
from aligngemini.scores import intervals, metrics

TIMED = 32  # images behind a time


def chosen(texts: list[str], joined: Sequence[str]) -> list[Choice]:
    """The detectors that `texts` name. Raises Refused if one has the name of a branch in `joined`, whose columns would
    be the same.
    """
    choices = branch_runs.read(texts, runs=False)
    if twice := [each for each in choices if each.name in joined]:
        way = " or give it another name (name=NAME)" if twice[0].kind.options else ""
        raise Refused(f"peers: {twice[0].name} is a branch of fusion_run: leave it out{way}")
    return choices


def verdicts(joined: pd.DataFrame, thresholds: dict[str, float]) -> pd.DataFrame:
    """One column of verdicts (int8, 1 fake) per detector, of the images that all have scored."""
    whole = joined[joined[[f"{name}_score" for name in thresholds]].notna().all(axis=1)]
    columns = {name: metrics.verdicts(whole[f"{name}_score"], cut) for name, cut in thresholds.items()}
    return pd.DataFrame(columns, index=whole.index)


def additions(
    joined: pd.DataFrame, said: pd.DataFrame, pure: Sequence[str], key: tuple, resamples: int, confidence: float
) -> pd.DataFrame:
    """What each other detector adds to the OR of the branches `pure`: one row per detector.

    Columns: detector, or (mean balanced accuracy over subsets, of all that have both classes), with_it, gain, low, high
    (an interval of the gain on the same images), false_alarms (share of distinct real images that it alone calls fake).
    """
    rows, together = joined.loc[said.index], said[list(pure)].max(axis=1)
    real = ~rows.duplicated("image_id") & (rows.label == 0)
    found = []
    for name in said.columns.difference(pure, sort=False):
        frame = rows.assign(verdict=np.maximum(together, said[name]))
        rng = generator("additions", *key, name)
        gain = intervals.mean_accuracy(frame, rng, resamples, confidence, minus=together)
        before, after = (_mean(each) for each in (rows.assign(verdict=together), frame))
        alarms = (frame.verdict > together)[real].mean()
        found.append((registry.title(name), before, after, gain.value, gain.low, gain.high, alarms))
    return pd.DataFrame(found, columns=["detector", "or", "with_it", "gain", "low", "high", "false_alarms"])


def _mean(frame: pd.DataFrame) -> float:
    return metrics.mean_over_subsets(metrics.per_subset(frame.assign(score=frame.verdict)))["balanced_accuracy"]


def cost(branches: Sequence, images: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds per image of each branch on this machine, decoding apart; measured on TIMED images, a few first."""
    pixels = [decode.read(path).rgb for path in images[images.reason == ""].path.drop_duplicates()[:TIMED]]
    rows = []
    for branch in branches:
        branch.p_fake([branch.prepare(rgb) for rgb in pixels[:2]])
        began = time.perf_counter()
        branch.p_fake([branch.prepare(rgb) for rgb in pixels])
        rows.append((registry.title(branch.name), 1000 * (time.perf_counter() - began) / len(pixels)))
    return pd.DataFrame(rows, columns=["detector", "ms per image"])
