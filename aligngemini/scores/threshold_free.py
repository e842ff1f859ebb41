"""Measures that need no threshold of their own, beside AUROC: average precision, recall at few false alarms, and
calibration.

Labels are 0 (real) or 1 (fake), scores p(fake) in [0, 1]. All of them are NaN where a class is absent. Average
precision and calibration error depend on the share of fakes, so compare them only where that share is the same.
"""

import numpy as np
from sklearn.metrics import average_precision_score, roc_curve

from aligngemini.core.params import Refused

NAMES = ("ap", "tpr_at_1", "tpr_at_5", "ece")
BINS = 15  # as in "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599, section 5


def measures(label, score) -> dict[str, float]:
    """The measures of NAMES for labels and scores [n], fractions in [0, 1].

    ap: average precision of fakes. tpr_at_1, tpr_at_5: share of fakes found at no more than 1 % and 5 % false alarms
    among the reals. ece: expected calibration error.
    """
    label, score = np.asarray(label).astype(int), np.asarray(score, dtype=np.float64)
    if len(np.unique(label)) < 2:
        return dict.fromkeys(NAMES, float("nan"))
    return {
        "ap": float(average_precision_score(label, score)),
        "tpr_at_1": found(label, score, 0.01),
        "tpr_at_5": found(label, score, 0.05),
        "ece": calibration_error(label, score),
    }


def found(label, score, alarms: float) -> float:
    """Largest share of fakes above a threshold that no more than `alarms` (0 to 1) of the reals are above.

    Nothing is interpolated between thresholds: with fewer than 1 / `alarms` reals not one of them may be above.
    """
    false_alarms, recall, _ = roc_curve(label, score, drop_intermediate=False)
    return float(recall[false_alarms <= alarms].max())


def calibration_error(label, score, bins: int = BINS) -> float:
    """Expected calibration error of p(fake) against the label, over `bins` bins of equal width.

    It is the mean, over images, of the distance between mean score and share of fakes in the image's bin. A bin holds
    its lower edge, the last one 1 as well. Raises Refused for a score outside [0, 1].
    """
    label, score = np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if not ((score >= 0) & (score <= 1)).all():
        raise Refused("Calibration is about probabilities; give scores in [0, 1].")
    place = np.minimum((score * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, weights=score - label)).sum() / len(score))
