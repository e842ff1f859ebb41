"""What two rules learn from validation scores and labels: thresholds under a budget of false alarms, or a classifier.

Neither ever sees a test score. A classifier is not stored: it is fitted again on the same scores.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.special import logit

from aligngemini.core.params import Refused, shown
from aligngemini.scores.thresholds import middle

LEARNERS = ("logistic", "boosting")
TINY = 1e-9  # a score of exactly 0 or 1 is very sure, not infinitely sure
SPLITS = 10_000  # of a budget among branches: with more than that, numbers of false alarms are tried in larger steps


def log_odds(score) -> np.ndarray:
    """The log-odds of scores in [0, 1], finite."""
    return logit(np.clip(score, TINY, 1 - TINY))


def complete(scores, label, branches: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores float64 [m, branches] and labels int [m] of the rows that have all scores, none if a class is absent among
    them.
    """
    scores = np.asarray([] if scores is None else scores, dtype=np.float64).reshape(-1, branches)
    label = np.asarray([] if label is None else label, dtype=int)
    whole = ~np.isnan(scores).any(axis=1)
    if set(label[whole]) != {0, 1}:
        whole[:] = False
    return scores[whole], label[whole]


def thresholds(scores: np.ndarray, label: np.ndarray, false_positives: float) -> tuple[float, ...]:
    """The thresholds [k] under which OR calls at most this share of the reals fake, and the most fakes.

    All ways of dividing the allowed false alarms among the branches are tried. Each threshold lies in the middle
    between two validation scores. Of equally good ones those with fewer false alarms, then the higher ones are taken.
    Branches are tried in the order of their scores, whatever order they come in, and those with equal scores have
    equal thresholds.
    """
    scores, place = np.unique(scores, axis=1, return_inverse=True)
    found = _thresholds(scores, label, false_positives)
    return tuple(found[each] for each in place.ravel())


def _thresholds(scores: np.ndarray, label: np.ndarray, false_positives: float) -> list[float]:
    """`thresholds` of branches that all differ, in an order that is theirs."""
    fakes, reals = scores[label == 1], scores[label == 0]
    budget = int(np.floor(false_positives * len(reals) + 1e-9))
    most = max(2, int(SPLITS ** (1 / max(1, scores.shape[1] - 1))))
    best = max(
        _splits(reals, budget, most),
        key=lambda at: (_fires(fakes, at).sum(), -_fires(reals, at).sum(), sorted(at)),
    )
    return [_between(scores[:, branch], low) for branch, low in enumerate(best)]


def _fires(scores: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Whether any branch is above its threshold, bool [n]."""
    return (scores > np.array(at)).any(axis=1)


def _splits(reals: np.ndarray, budget: int, most: int) -> Iterator[tuple[float, ...]]:
    """Thresholds for ways of dividing `budget` false alarms: a branch takes some of what is left, the last one all.

    An image that an earlier branch has called fake costs a later one nothing.
    """
    takes = np.unique(np.linspace(0, budget, min(most, budget + 1)).astype(int)) if reals.shape[1] > 1 else [budget]
    for take in takes:
        low = _lowest(reals[:, 0], int(take))
        left = reals[reals[:, 0] <= low, 1:]
        if reals.shape[1] == 1:
            yield (low,)
        else:
            yield from ((low, *others) for others in _splits(left, budget - (len(reals) - len(left)), most))


def _lowest(reals: np.ndarray, alarms: int) -> float:
    """The lowest threshold with at most so many reals above it."""
    return float(np.sort(reals)[::-1][alarms]) if alarms < len(reals) else 0.0


def _between(scores: np.ndarray, low: float) -> float:
    """The middle between a threshold and the next score above it: on these scores it decides the same."""
    return middle(low, float(scores[scores > low].min(initial=1.0)))


def fault(fitted_on: dict[str, Any], branches: int) -> str:
    """Why no rule for so many branches can have been fitted on this (see rules.Fusion); "" if one can."""
    budget, learner = fitted_on["false_positives"], fitted_on["learner"]
    try:
        scores, label = np.asarray(fitted_on["scores"]), np.asarray(fitted_on["label"])
    except ValueError:
        return "its validation scores are no table"
    if scores.shape != (len(label), branches) or label.ndim != 1:
        return f"it needs a label and {branches} scores, one per branch, for each validation image"
    if scores.dtype.kind not in "if" or not ((scores >= 0) & (scores <= 1)).all():
        return "its validation scores must be numbers in [0, 1]"
    if label.dtype.kind not in "if" or set(label.tolist()) != {0, 1}:
        return "its validation labels must be 0 and 1, some of each"
    if not 0 <= budget <= 1:
        return f"its false_positives must lie in [0, 1], got {budget}"
    return "" if learner in LEARNERS else f"there is no learner {shown(learner)}, it is one of {', '.join(LEARNERS)}"


def model(scores, label, learner: str) -> Callable[[np.ndarray], np.ndarray]:
    """A classifier fitted on the log-odds of scores [m, k] and labels [m], both classes weighing the same: a function
    from scores [n, k] to p(fake), float64 [n].

    "logistic" is a logistic regression; "boosting" is gradient boosting, in which a higher score never makes an image
    more real. Raises Refused for another learner.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if learner not in LEARNERS:
        raise Refused(f"There is no learner {learner!r}; choose one of {', '.join(LEARNERS)}.")
    features = log_odds(np.asarray(scores, dtype=np.float64))
    if learner == "logistic":
        classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    else:
        rising = [1] * features.shape[1]
        classifier = HistGradientBoostingClassifier(class_weight="balanced", monotonic_cst=rising, random_state=0)
    classifier.fit(features, np.asarray(label, dtype=int))
    return lambda new: classifier.predict_proba(log_odds(new))[:, 1]
