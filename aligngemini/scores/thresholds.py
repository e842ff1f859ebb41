"""The threshold of a branch, chosen on its validation images and never on test images."""

from typing import NamedTuple

import numpy as np

from aligngemini.core.params import Refused


class Threshold(NamedTuple):
    """A threshold, the balanced accuracy it reaches, and the ends of the plateau it is the middle of."""

    value: float
    balanced_accuracy: float
    low: float
    high: float


def choose(label, score) -> Threshold:
    """The threshold in [0, 1] of highest balanced accuracy (Youden's J) for labels 0/1 and scores in [0, 1], both [n].

    Balanced accuracy only changes at a score, so it is flat between neighbouring scores. Of the flat
    stretches with the highest value the widest is taken (the lowest of equally wide ones) and its midpoint
    returned. Images score fake strictly above it. Raises Refused if a class is absent or a score is NaN.
    """
    label, score = np.asarray(label) == 1, np.asarray(score, dtype=np.float64)
    if np.isnan(score).any() or not label.any() or label.all():
        raise Refused("A threshold needs scored validation images of both classes; look at the validation table.")
    from sklearn.metrics import roc_curve  # loaded where it is needed: it takes a second

    false_alarms, recall, _ = roc_curve(label, score, drop_intermediate=False)  # from the highest score to the lowest
    edges, hits = np.r_[0.0, np.unique(score), 1.0], ((recall + 1 - false_alarms) / 2)[::-1]
    if edges[1] == 0:  # nothing lies below a score of 0, so not every image can be called fake
        edges, hits = edges[1:], hits[1:]
    best = hits >= hits.max() - 1e-12
    starts = np.flatnonzero(best & ~np.r_[False, best[:-1]])
    ends = np.flatnonzero(best & ~np.r_[best[1:], False]) + 1
    widest = int(np.argmax(edges[ends] - edges[starts]))
    low, high = float(edges[starts[widest]]), float(edges[ends[widest]])
    return Threshold(middle(low, high), float(hits.max()), low, high)


def middle(low: float, high: float) -> float:
    """The midpoint, except that between neighbouring floats it must not round up onto a score that should pass."""
    middle = low + (high - low) / 2
    return low if middle >= high else middle
