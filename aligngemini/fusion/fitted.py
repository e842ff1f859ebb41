"""What two rules learn from validation scores and labels: thresholds under a budget of false alarms, or a classifier.

Neither ever sees a test score. A classifier is not stored: it is fitted again on the same scores.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import logit

from aligngemini.core.params import Refused
from aligngemini.scores.thresholds import middle

LEARNERS = ("logistic", "boosting")
TINY = 1e-9  # a score of exactly 0 or 1 is very sure, not infinitely sure
SPLITS = 10_000  # of a budget among branches: with more than that, numbers of false alarms are tried in larger steps


def log_odds(score) -> np.ndarray:
    """The log-odds of scores in [0, 1], finite."""
    return logit(np.clip(score, TINY, 1 - TINY))


def complete(scores, label, branches: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores float64 [m, branches] and labels int [m] of the rows that have all scores; no row unless both classes
    occur among them.
    """
    scores = np.asarray([] if scores is None else scores, dtype=np.float64).reshape(-1, branches)
    label = np.asarray([] if label is None else label, dtype=int)
    rated = ~np.isnan(scores).any(axis=1)
    rated &= set(label[rated]) == {0, 1}
    return scores[rated], label[rated]


def thresholds(scores: np.ndarray, label: np.ndarray, false_positives: float) -> tuple[float, ...]:
    """The thresholds [k] under which OR calls at most this share of the reals fake, and the most fakes.

    All ways of dividing the allowed false alarms among the branches are tried. Each threshold lies in the middle
    between two validation scores. Of equally good ones those with fewer false alarms, then the higher ones are taken.
    Branches are tried in the order of their scores, whatever order they come in, and those with equal scores have
    equal thresholds.
    """
    scores, place = np.unique(scores, axis=1, return_inverse=True)
    fakes, reals = scores[label == 1], scores[label == 0]
    budget = int(np.floor(false_positives * len(reals) + 1e-9))
    steps = max(2, int(SPLITS ** (1 / max(1, scores.shape[1] - 1))))
    best = max(
        _splits(reals, budget, steps),
        key=lambda at: ((fakes > at).any(axis=1).sum(), -(reals > at).any(axis=1).sum(), sorted(at)),
    )
    at = [middle(low, float(score[score > low].min(initial=1.0))) for score, low in zip(scores.T, best, strict=True)]
    return tuple(at[each] for each in place.ravel())


def _splits(reals: np.ndarray, budget: int, steps: int) -> Iterator[tuple[float, ...]]:
    """The lowest thresholds for ways of dividing `budget` false alarms: a branch takes some of what is left, the last
    one all. An image that an earlier branch has called fake costs a later one nothing.
    """
    last = reals.shape[1] == 1
    takes = [budget] if last else np.unique(np.linspace(0, budget, min(steps, budget + 1)).astype(int))
    for take in takes:
        low = float(np.sort(reals[:, 0])[::-1][take]) if take < len(reals) else 0.0
        left = reals[reals[:, 0] <= low, 1:]
        further = [()] if last else _splits(left, budget - (len(reals) - len(left)), steps)
        yield from ((low, *others) for others in further)


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
