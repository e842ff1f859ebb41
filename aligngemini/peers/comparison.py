"""Detectors side by side: what one more adds to OR, what an image costs, and AUROC twice: over all images, which
content may tell apart, and between images of the same content.
"""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from aligngemini.branches import branch_runs, logistic, registry
from aligngemini.branches.branch_runs import Choice
from aligngemini.core.params import Refused
from aligngemini.core.seeds import generator
from aligngemini.images import decode
from aligngemini.scores import intervals, metrics

from .probe import Probe

TIMED = 32  # images behind a time
COLUMNS = ["detector", "pooled", "pooled_low", "pooled_high", "matched", "matched_low", "matched_high", "pairs"]


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


def matched(
    joined: pd.DataFrame, names: Sequence[str], probe: Probe, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """COLUMNS for every detector of test images that all have scored (<name>_score), with intervals.

    pooled: AUROC over all images together. matched: the share of `pairs` in which the fake has the larger score, ties
    counting one half; that is AUROC, too, where both sides show the same. One half is chance for both; NaN without
    pairs.
    """
    images, found = joined.drop_duplicates("image_id").set_index("image_id", drop=False), pairs(joined, probe)
    rows = []
    for name in names:
        score = images[f"{name}_score"]
        pooled = intervals.roc_area(images.label, score, confidence, intervals.groups(images))
        fake, real, group = score[found.fake].to_numpy(), score[found.real].to_numpy(), found.group.to_numpy()
        given = generator("matched", seed, name), resamples, confidence, group
        sides = [intervals.accuracy(np.ones(len(found), int), wins, *given) for wins in (fake > real, fake >= real)]
        area = np.mean(sides, axis=0)
        rows.append((registry.title(name), *pooled, *area, len(found)))
    return pd.DataFrame(rows, columns=COLUMNS)


def pairs(rows: pd.DataFrame, probe: Probe) -> pd.DataFrame:
    """Real and fake images of the same content: real, fake (their image_id), and group, what is resampled together.

    Twins of a subset are known by their pair_id. To a fake without one belongs the real image that is nearest to it in
    the frozen features of `probe`, if it is as near as half of the real images are to their nearest; ours.
    """
    twin, alone = rows[rows.pair_id != ""], rows[rows.pair_id == ""].drop_duplicates("image_id")
    real, fake = (twin[twin.label == label][["subset", "pair_id", "image_id"]] for label in (0, 1))
    both = real.merge(fake, on=["subset", "pair_id"]).drop_duplicates(["image_id_x", "image_id_y"])
    twins = both.rename(columns={"image_id_x": "real", "image_id_y": "fake", "pair_id": "group"}).drop(columns="subset")
    return pd.concat([twins, _alike(alone, probe)]) if alone.label.nunique() == 2 else twins


def _alike(rows: pd.DataFrame, probe: Probe) -> pd.DataFrame:
    features = logistic.measured(probe, rows)
    names = [[name for name in rows.image_id[rows.label == label] if name in features] for label in (0, 1)]
    real, fake = (np.array([features[name] for name in side]) for side in names)
    among, near = real @ real.T, fake @ real.T  # cosines: class tokens have length 1
    np.fill_diagonal(among, -1)
    close = near.max(1) >= np.median(among.max(1))
    chosen = np.array(names[0])[near.argmax(1)[close]]
    return pd.DataFrame({"group": chosen, "real": chosen, "fake": np.array(names[1])[close]})
