"""Balanced accuracy, its two halves, AUROC and the measures of `curves`, per subset and as the unweighted mean over
subsets.

An image is called fake when its score is strictly above the threshold; label 1 is fake, 0 is real.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from aligngemini.core.params import Refused
from aligngemini.scores import threshold_free

BALANCED, RECALL, SPECIFICITY = "balanced accuracy", "recall", "specificity"


def verdicts(score, threshold: float) -> np.ndarray:
    """1 where the score (float [n]) is strictly above `threshold`, else 0; int8 [n]. Raises Refused on
    NaN."""
    score = np.asarray(score, dtype=np.float64)
    if np.isnan(score).any():
        raise Refused("A verdict needs a score; take the images without one out first and list them.")
    return (score > threshold).astype(np.int8)


def confusion(label, verdict) -> dict[str, int]:
    """Counts of real called real, real called fake, fake called real, fake called fake (each label and
    verdict 0/1)."""
    cell = np.bincount(2 * np.asarray(label, dtype=int) + np.asarray(verdict, dtype=int), minlength=4)
    return dict(zip(("real_real", "real_fake", "fake_real", "fake_fake"), map(int, cell), strict=True))


def accuracies(label, verdict) -> dict:
    """The measures of one set of verdicts.

    `metric` names what `value` is: balanced accuracy where both classes occur, else recall (fakes only) or
    specificity (reals only); with no image at all `value` is NaN. `balanced_accuracy` is NaN unless both
    occur.
    """
    cell = confusion(label, verdict)
    n_real = cell["real_real"] + cell["real_fake"]
    n_fake = cell["fake_real"] + cell["fake_fake"]
    real = cell["real_real"] / n_real if n_real else np.nan
    fake = cell["fake_fake"] / n_fake if n_fake else np.nan
    balanced = (real + fake) / 2
    metric, value = named(real, fake, n_real, n_fake)
    return {
        "metric": metric,
        "value": value,
        "balanced_accuracy": balanced,
        "real_accuracy": real,
        "fake_accuracy": fake,
        "n": n_real + n_fake,
        "n_real": n_real,
        "n_fake": n_fake,
    }


def named(real: float, fake: float, n_real: int, n_fake: int) -> tuple[str, float]:
    """The name and value that a set is reported under, from its accuracies on reals and fakes and its
    sizes."""
    if n_real and n_fake:
        return BALANCED, (real + fake) / 2
    return (RECALL, fake) if n_fake else (SPECIFICITY, real)


def auroc(label, score) -> float:
    """Probability that a fake scores above a real, ties counting one half; NaN if a class is absent."""
    label, score = np.asarray(label) == 1, np.asarray(score, dtype=np.float64)
    n_fake, n_real = int(label.sum()), int((~label).sum())
    if not n_fake or not n_real:
        return float("nan")
    return float((rankdata(score)[label].sum() - n_fake * (n_fake + 1) / 2) / (n_fake * n_real))


def per_subset(frame: pd.DataFrame) -> pd.DataFrame:
    """Measures by subset, in order of appearance, of a frame with columns subset, label, verdict and score.

    Raises Refused if a verdict or score is missing. Columns: subset, those of `accuracies`, auroc, and those of
    `curves.measures`: ap, tpr_at_1, tpr_at_5, ece.
    """
    if frame[["verdict", "score"]].isna().any().any():
        raise Refused("Every judged image needs a score and a verdict; list the others as missing first.")
    rows = [
        {
            "subset": subset,
            **accuracies(part.label, part.verdict),
            "auroc": auroc(part.label, part.score),
            **threshold_free.measures(part.label, part.score),
        }
        for subset, part in frame.groupby("subset", sort=False)
    ]
    return pd.DataFrame(rows)


def mean_over_subsets(measures: pd.DataFrame) -> dict:
    """The unweighted mean of `balanced_accuracy`, both accuracies, `auroc` and the measures of `curves` over subsets
    that have both classes.

    `measures` is what `per_subset` gives. `subsets` counts the subsets averaged, `left_out` those of one
    class.
    """
    both = measures[measures.metric == BALANCED]
    names = ["value", "balanced_accuracy", "real_accuracy", "fake_accuracy", "auroc", *threshold_free.NAMES]
    mean = {name: float(both[name].mean()) if len(both) else float("nan") for name in names}
    return {
        "subset": "mean",
        "metric": BALANCED,
        **mean,
        "subsets": len(both),
        "left_out": len(measures) - len(both),
    }
