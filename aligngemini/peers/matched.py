"""AUROC twice: over all images, which content may tell apart, and between images of the same content."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aligngemini.branches import logistic, registry
from aligngemini.core.seeds import generator
from aligngemini.scores import intervals

from .probe import Probe

COLUMNS = ["detector", "pooled", "pooled_low", "pooled_high", "matched", "matched_low", "matched_high", "pairs"]


def table(
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
        matched = np.mean(sides, axis=0)
        rows.append((registry.title(name), *pooled, *matched, len(found)))
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
