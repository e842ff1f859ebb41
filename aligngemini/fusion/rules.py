"""The rules that make one verdict and one score of two.

Scales, our choice: before `or`, `and` and `mean` a branch's score is bent so that its threshold lands on
0.5 (two straight pieces, 0 and 1 stay); `odds` divides the odds by the odds of the threshold instead, which
does the same. `max` takes the raw scores and ignores the thresholds: with them it would give the verdicts
of `or` again. A fused image is fake exactly where its fused score is above 0.5.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from aligngemini.workbook.params import Refused


class Rule(NamedTuple):
    """A rule's one-line description and its score from (vlm, expert, vlm_threshold, expert_threshold)."""

    text: str
    score: Callable


def centred(score, threshold: float) -> np.ndarray:
    """`score` in [0, 1] bent monotonically so that `threshold` lands on 0.5; above 0.5 exactly where above
    it."""
    score = np.asarray(score, dtype=np.float64)
    above = score > threshold
    low = 0.5 * score / threshold if threshold > 0 else np.full_like(score, 0.5)
    high = 0.5 + 0.5 * (score - threshold) / (1 - threshold) if threshold < 1 else np.full_like(score, 0.5)
    return np.where(above, np.maximum(high, np.nextafter(0.5, 1)), np.minimum(low, 0.5))


def _odds(vlm, expert, vlm_threshold: float, expert_threshold: float) -> np.ndarray:
    """The product of both odds, each divided by its threshold's odds, as a probability."""
    tiny = 1e-9  # a score of exactly 0 or 1 is very sure, not infinitely sure
    parts = [
        logit(np.clip(score, tiny, 1 - tiny)) - logit(np.clip(threshold, tiny, 1 - tiny))
        for score, threshold in ((vlm, vlm_threshold), (expert, expert_threshold))
    ]
    return expit(parts[0] + parts[1])


RULES = {
    "or": Rule(
        "fake if either branch is above its threshold (the published rule)",
        lambda v, e, tv, te: np.maximum(centred(v, tv), centred(e, te)),
    ),
    "and": Rule(
        "fake only if both branches are above their thresholds",
        lambda v, e, tv, te: np.minimum(centred(v, tv), centred(e, te)),
    ),
    "max": Rule("fake if the larger raw score is above 0.5, thresholds ignored", lambda v, e, tv, te: np.maximum(v, e)),
    "mean": Rule(
        "fake if the mean of both scores, each centred on its threshold, is above 0.5",
        lambda v, e, tv, te: (centred(v, tv) + centred(e, te)) / 2,
    ),
    "odds": Rule("fake if the product of both odds, each relative to its threshold's odds, is above one", _odds),
}


def fuse(
    rule: str, vlm, expert, vlm_threshold: float = 0.5, expert_threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts (int8 [n], 1 fake) and fused scores (float64 [n] in [0, 1]) of two score arrays [n] in [0,
    1].

    The verdict is 1 exactly where the fused score is above 0.5. Raises Refused for an unknown rule, a
    threshold outside [0, 1] or a missing score: without both scores there is no verdict.
    """
    if rule not in RULES:
        raise Refused(f"There is no rule {rule!r}; choose one of {', '.join(RULES)}.")
    for name, threshold in (("vlm", vlm_threshold), ("expert", expert_threshold)):
        if not 0 <= threshold <= 1:
            raise Refused(f"The {name} threshold must lie in [0, 1], got {threshold}.")
    vlm, expert = np.asarray(vlm, dtype=np.float64), np.asarray(expert, dtype=np.float64)
    if np.isnan(vlm).any() or np.isnan(expert).any():
        raise Refused("Fusion needs the score of both branches; list images that lack one as missing.")
    fused = RULES[rule].score(vlm, expert, vlm_threshold, expert_threshold)
    return (fused > 0.5).astype(np.int8), fused


def fired(vlm, expert, vlm_threshold: float = 0.5, expert_threshold: float = 0.5) -> np.ndarray:
    """Which branch is above its own threshold: '', 'vlm', 'expert' or 'both', object [n]; '' where NaN."""
    which = (np.asarray(vlm) > vlm_threshold) + 2 * (np.asarray(expert) > expert_threshold)
    return np.array(["", "vlm", "expert", "both"], dtype=object)[which]


class Region(NamedTuple):
    """What a rule calls fake over the plane of scores: its sides [size] and verdicts int8 [size, size], vlm
    across."""

    rule: str
    vlm_threshold: float
    expert_threshold: float
    side: np.ndarray
    verdict: np.ndarray


def region(rule: str, vlm_threshold: float = 0.5, expert_threshold: float = 0.5, size: int = 121) -> Region:
    """The verdicts of `rule` on a grid of scores in [0, 1], for drawing."""
    side = np.linspace(0, 1, size)
    vlm, expert = np.meshgrid(side, side)
    verdict, _ = fuse(rule, vlm, expert, vlm_threshold, expert_threshold)
    return Region(rule, vlm_threshold, expert_threshold, side, verdict)
