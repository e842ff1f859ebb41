"""How strong the degradation must be: what a pixel probe still tells from reconstructions behind more of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..images import decode, degrade, pictures
from ..images.failures import attempt, reason, without_failures
from ..images.table import sample_whole_pairs
from ..scores.cv_auroc import logreg_cv_auroc
from . import cues, pixel_statistics

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NOTHING = {"scale": 1.0, "noise": 0.0, "blur": 0.0, "jpeg": 100.0}


def kept(run, cfg, rows: pd.DataFrame) -> pd.DataFrame:
    """`measure` on photographs and their reconstructions, computed once in a run."""
    return run.compute("strength.parquet", measure, rows, degrade.ranges(cfg), cfg.seed, cfg.workers)


def measure(rows: pd.DataFrame, asked: Mapping[str, Sequence[float]], seed: int, workers: int = 1) -> pd.DataFrame:
    """AUROC of the audit's pixel probe on pairs behind each share of the ranges `asked`: one row for each share.

    Share 0 is the pictures as they are, share 1 the chain as asked. Each picture draws its own values, as in the
    semantic set. Beside the AUROC stand the middles of the four ranges.
    """
    chosen = sample_whole_pairs(rows, cues.PROBED)
    items = list(zip(chosen["path"], chosen["image_id"], strict=True))
    ladder = [weaker(asked, share) for share in SHARES]
    seen = pictures.spread(described, items, workers, "probing degraded pictures", ladder=ladder, seed=seed)
    seen, chosen = without_failures(seen, chosen, "a probe")
    told = [logreg_cv_auroc(np.stack(seen)[:, step], chosen) for step in range(len(ladder))] if seen else np.nan
    middles = pd.DataFrame([{name: np.mean(pair) for name, pair in ranges.items()} for ranges in ladder])
    return middles.assign(share=SHARES, auroc=told)[["share", *NOTHING, "auroc"]]


def weaker(asked: Mapping[str, Sequence[float]], share: float) -> dict[str, list[float]]:
    """The ranges at `share` (0 to 1) of the way from no change at all to `asked`."""
    return {name: [(1 - share) * none + share * end for end in asked[name]] for name, none in NOTHING.items()}


def described(items: Sequence[tuple[str, str]], ladder: Sequence[dict], seed: int) -> list[np.ndarray]:
    """Float64 [rungs, 101] for each (path, image_id): its statistics behind each rung of the ladder, or Unreadable."""
    seen = [attempt(_described, path, name, ladder, seed) for path, name in items]
    # of any exception only the words are sure to pass from one process to another
    return [decode.Unreadable(reason("it fails", each)) if isinstance(each, Exception) else each for each in seen]


def _described(path: str, name: str, ladder: Sequence[dict], seed: int) -> np.ndarray:
    rgb, key = decode.read(path).rgb, f"strength/{name}"
    worn = [rgb] + [degrade.degrade(rgb, degrade.draw(rung, degrade.generator(seed, key))) for rung in ladder[1:]]
    return np.stack([pixel_statistics.describe(picture) for picture in worn])
