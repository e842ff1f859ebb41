"""How strong the degradation must be: the AUROC of the pixel probe on reconstructions behind more and more of it."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from aligngemini.images import degrade
from aligngemini.images.feed import Item
from aligngemini.scores.cv_auroc import logreg_cv_auroc

from . import cues, pixel_statistics

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NOTHING = {"scale": 1.0, "noise": 0.0, "blur": 0.0, "jpeg": 100.0}


def once_per_run(run, cfg, rows: pd.DataFrame) -> pd.DataFrame:
    """`measure` on photographs and their reconstructions, computed once in a run."""
    return run.compute("strength.parquet", measure, rows, degrade.ranges(cfg), cfg.seed, cfg.workers)


def measure(rows: pd.DataFrame, ranges: Mapping[str, Sequence[float]], seed: int, workers: int = 1) -> pd.DataFrame:
    """AUROC of the audit's pixel probe on pairs behind each share of the degradation `ranges`: one row for each share.

    Share 0 is the images as they are, share 1 the whole chain. Each image draws its own values, as in the semantic
    set. Beside the AUROC stand the middles of the four ranges.
    """
    ladder = [weaker(ranges, share) for share in SHARES]
    describe = partial(_described, ladder, seed)
    features, sample = cues.described(rows, describe, "probing degraded pictures", workers)
    aurocs = [logreg_cv_auroc(features[:, step], sample) for step in range(len(ladder))] if len(sample) else np.nan
    middles = pd.DataFrame([{name: np.mean(pair) for name, pair in rung.items()} for rung in ladder])
    return middles.assign(share=SHARES, auroc=aurocs)[["share", *NOTHING, "auroc"]]


def weaker(ranges: Mapping[str, Sequence[float]], share: float) -> dict[str, list[float]]:
    """The ranges at `share` (0 to 1) of the way from no change at all to `ranges`."""
    return {name: [(1 - share) * none + share * end for end in ranges[name]] for name, none in NOTHING.items()}


def _described(ladder: Sequence[dict], seed: int, item: Item, rgb: np.ndarray) -> np.ndarray:
    """Float64 [rungs, 101]: pixel statistics of uint8 [H, W, 3] behind each rung of the ladder."""
    key = f"strength/{item.name}"
    rest = [degrade.degrade(rgb, degrade.draw(rung, degrade.generator(seed, key))) for rung in ladder[1:]]
    return np.stack([pixel_statistics.describe(image) for image in (rgb, *rest)])
