"""Every rule and both single branches on every subset, so that trying another rule never scores an image
again."""

import numpy as np
import pandas as pd

from aligngemini.fusion import rules
from aligngemini.fusion.join import fuse, scored
from aligngemini.scores import intervals, metrics


def compare(
    joined: pd.DataFrame,
    vlm_threshold: float,
    expert_threshold: float,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The table rules.parquet: one row per rule (and per branch alone) and subset, and the unweighted mean of each
    benchmark.

    Columns: rule, benchmark, subset, metric, value, low, high, balanced_accuracy, real_accuracy, fake_accuracy, auroc,
    ap, tpr_at_1, tpr_at_5, ece, auroc_low, auroc_high, n, n_real, n_fake, missing. `joined` is what fusion.join gives;
    images without both scores are counted in `missing` and judged by no row.
    """
    whole = joined[scored(joined)]
    tables = []
    for rule, judged in _judged(whole, vlm_threshold, expert_threshold).items():
        rng = np.random.default_rng([seed, len(tables)])
        tables.append(intervals.table(judged, rng, resamples, confidence).assign(rule=rule))
    table = pd.concat(tables, ignore_index=True)
    table["missing"] = intervals.absent(table, joined[~scored(joined)])
    return table[["rule", *[name for name in table if name != "rule"]]]


def _judged(whole: pd.DataFrame, vlm_threshold: float, expert_threshold: float) -> dict[str, pd.DataFrame]:
    """Frames with score and verdict, by branch and rule."""
    judged = {}
    for branch, threshold in (("vlm", vlm_threshold), ("expert", expert_threshold)):
        score = whole[f"{branch}_score"]
        judged[branch] = whole.assign(score=score, verdict=metrics.verdicts(score, threshold))
    for rule in rules.RULES:
        fused = fuse(whole, rule, vlm_threshold, expert_threshold)
        judged[rule] = fused.assign(score=fused.fused_score, verdict=fused.verdict.astype(int))
    return judged
