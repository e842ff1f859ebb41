"""Verdicts, accuracies and the measures that need no threshold: per subset, and as the unweighted mean over subsets.

Labels are 0 (real) or 1 (fake), scores p(fake) in [0, 1]. Average precision and calibration error depend on the share
of fakes, so compare them only where that share is the same.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import auc, roc_curve

from aligngemini.core.params import Refused

BALANCED, RECALL, SPECIFICITY = "balanced accuracy", "recall", "specificity"
COUNTS = ("real_real", "real_fake", "fake_real", "fake_fake")  # truth first, then verdict
THRESHOLD_FREE = ("ap", "tpr_at_1", "tpr_at_5", "ece")
MEANS = ("value", "balanced_accuracy", "real_accuracy", "fake_accuracy", "auroc", *THRESHOLD_FREE)
BINS = 15  # as in "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599, section 5


def verdicts(score, threshold: float) -> pd.api.extensions.ExtensionArray:
    """1 where a score (float [n]) is strictly above `threshold`, else 0; NA where there is no score (NaN). Int8 [n]."""
    score = pd.Series(np.asarray(score, dtype=np.float64))
    return score.gt(threshold).astype("Int8").mask(score.isna()).array


def confusion(label, verdict) -> dict[str, int]:
    """Number of images in each of COUNTS, from labels and verdicts [n], both 0 or 1."""
    label, verdict = np.asarray(label, dtype=int), np.asarray(verdict, dtype=int)
    cells = np.bincount(2 * label + verdict, minlength=len(COUNTS))
    return dict(zip(COUNTS, map(int, cells), strict=True))


def accuracies(label, verdict) -> dict:
    """The accuracies of verdicts [n], 0 or 1.

    `metric` says what `value` is: balanced accuracy, or recall where all images are fake and specificity where all are
    real. `balanced_accuracy` is NaN unless both classes occur, `value` only where there is no image at all.
    """
    real_real, real_fake, fake_real, fake_fake = confusion(label, verdict).values()
    n_real, n_fake = real_real + real_fake, fake_real + fake_fake
    real = real_real / n_real if n_real else np.nan
    fake = fake_fake / n_fake if n_fake else np.nan
    both = (real + fake) / 2
    metric, value = (BALANCED, both) if n_real and n_fake else (RECALL, fake) if n_fake else (SPECIFICITY, real)
    shares = {"value": value, "balanced_accuracy": both, "real_accuracy": real, "fake_accuracy": fake}
    return {"metric": metric, **shares, "n": n_real + n_fake, "n_real": n_real, "n_fake": n_fake}


def _curve(label, score) -> tuple | None:
    """False alarms and recall, shares [k] above each score from the highest down, (0, 0) first; None for one class.

    All that needs no threshold is read off this one curve: scikit-learn checks its arguments anew for each measure,
    which takes longer than a thousand scores themselves.
    """
    return roc_curve(label, score, drop_intermediate=False)[:2] if len(np.unique(label)) == 2 else None


def auroc(label, score) -> float:
    """Probability that a fake scores above a real, ties counting one half; NaN if a class is absent."""
    return _area(_curve(label, score))


def _area(curve: tuple | None) -> float:
    return float(auc(*curve)) if curve else float("nan")


def threshold_free(label, score) -> dict[str, float]:
    """The measures of THRESHOLD_FREE for labels and scores [n], fractions in [0, 1]; all NaN if a class is absent.

    ap: average precision of fakes. tpr_at_1, tpr_at_5: recall at no more than 1 % and 5 % false alarms among the reals.
    ece: expected calibration error.
    """
    return _threshold_free(_curve(label, score), label, score)


def _threshold_free(curve: tuple | None, label, score) -> dict[str, float]:
    if not curve:
        return dict.fromkeys(THRESHOLD_FREE, float("nan"))
    recalls = [_recall_at(curve, alarms) for alarms in (0.01, 0.05)]
    values = _average_precision(curve, np.mean(label)), *recalls, calibration_error(label, score)
    return dict(zip(THRESHOLD_FREE, map(float, values), strict=True))


def _average_precision(curve: tuple, fakes: float) -> float:
    """Mean precision over the steps of recall; `fakes`: their share."""
    false_alarms, recall = curve
    found, wrong = fakes * recall[1:], (1 - fakes) * false_alarms[1:]
    return float(np.diff(recall) @ (found / (found + wrong)))


def recall_at(label, score, alarms: float) -> float:
    """Largest share of fakes above a threshold that no more than `alarms` (0 to 1) of the reals are above.

    Nothing is interpolated between thresholds: with fewer than 1 / `alarms` reals not one of them may be above.
    """
    return _recall_at(roc_curve(label, score, drop_intermediate=False)[:2], alarms)


def _recall_at(curve: tuple, alarms: float) -> float:
    false_alarms, recall = curve
    return float(recall[false_alarms <= alarms].max())


def calibration_error(label, score) -> float:
    """Expected calibration error of p(fake) against the label, over BINS bins of equal width.

    It is the mean, over images, of the distance between mean score and share of fakes in the image's bin. A bin holds
    its lower edge, the last one 1 as well. Raises Refused for a score outside [0, 1].
    """
    label, score = np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if not ((score >= 0) & (score <= 1)).all():
        raise Refused("Calibration is about probabilities; give scores in [0, 1].")
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, weights=score - label)).sum() / len(score))


def per_subset(frame: pd.DataFrame) -> pd.DataFrame:
    """Measures by subset, in order of appearance, of a frame with columns subset, label, verdict and score.

    Columns: subset, those of `accuracies`, auroc, and those of `threshold_free`. Raises Refused if a verdict or score
    is missing.
    """
    if frame[["verdict", "score"]].isna().to_numpy().any():
        raise Refused("Every judged image needs a score and a verdict; list the others as missing first.")
    subsets = frame.groupby("subset", sort=False)
    return pd.DataFrame([_measured(name, part.label, part.verdict, part.score) for name, part in subsets])


def _measured(subset, label, verdict, score) -> dict:
    curve = _curve(label, score)
    found = {"subset": subset, **accuracies(label, verdict), "auroc": _area(curve)}
    return found | _threshold_free(curve, label, score)


def mean_over_subsets(measures: pd.DataFrame) -> dict:
    """The unweighted mean of MEANS over the subsets that have both classes, as a row of `per_subset` called "mean"."""
    both = measures[measures.metric == BALANCED]
    return {"subset": "mean", "metric": BALANCED, **both[list(MEANS)].mean().to_dict()}
