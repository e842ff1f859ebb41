"""AUROC with its variance in closed form, groups of images taken as one.

What each image adds to an AUROC is the share of the other class that it is on the right side of (DeLong et al. 1988);
summed over groups before it is squared (Obuchowski 1997), it gives the variance. As an effective number of images that
enters Wilson's interval, which stays inside [0, 1] and has a width at its ends. Near 0 and 1 hardly an image is on the
wrong side, and a variance counted from so few is too small as often as not: there the number of images that the model
of Hanley and McNeil (1982) gives at the ends takes its place, with the weight of one such image (ours).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata


class Area(NamedTuple):
    """An AUROC, the ends of its interval, and what each group adds to its error, float64 [groups]."""

    value: float
    low: float
    high: float
    error: np.ndarray


def area(label, score, group, confidence: float) -> Area:
    """AUROC of scores [n] for labels 0/1 [n], both present; `group` [n] names what goes together."""
    fake, ranks = np.asarray(label) == 1, rankdata(score)
    right = np.empty(len(ranks))
    for side in (fake, ~fake):
        right[side] = (ranks[side] - rankdata(np.asarray(score)[side])) / (~side).sum()
    right[~fake] = 1 - right[~fake]
    value = float(right[fake].mean())
    size = np.where(fake, fake.sum(), (~fake).sum())
    error = (right - value) / np.sqrt(size * np.maximum(size - 1, 1))
    error = np.bincount(pd.factorize(np.asarray(group), sort=True)[0], error)
    return Area(value, *_wilson(value, _effective(value, fake, error), float(norm.ppf((1 + confidence) / 2))), error)


def _effective(value: float, fake: np.ndarray, error: np.ndarray) -> float:
    """The number of images that an AUROC says as much as."""
    fakes, n = int(fake.sum()), len(fake)
    most = len(error) / n * fakes * (n - fakes) / (1 + (n / 2 - 1) / 2)
    doubt = 1 / (1 + most * min(value, 1 - value))
    counted = (error**2).sum() / (value * (1 - value)) if 0 < value < 1 else 0
    return 1 / (doubt / most + (1 - doubt) * counted)


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share among `n` images, which need not be a whole number."""
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return float(max(0.0, (middle - reach) / (1 + z**2 / n))), float(min(1.0, (middle + reach) / (1 + z**2 / n)))


def difference(first: Area, second: Area) -> tuple[float, float, float]:
    """`second` minus `first`, of the same images, and the ends of its interval."""
    spread = np.sqrt((first.error**2).sum() * (second.error**2).sum())
    return apart(first, second, (first.error * second.error).sum() / spread if spread else 0.0)


def apart(first, second, alike: float = 0.0) -> tuple[float, float, float]:
    """`second` minus `first`, each with value, low and high, and the ends of its interval; `alike`: their correlation.

    Distances to the ends of both intervals are squared and added, less what the two have in common (Zou and Donner
    2008, Statistics in Medicine 27, 1693-1702).
    """
    gain = second.value - first.value
    low = _reach(second.value - second.low, first.high - first.value, alike)
    high = _reach(second.high - second.value, first.value - first.low, alike)
    return gain, gain - low, gain + high


def _reach(a: float, b: float, alike: float) -> float:
    return float(np.sqrt(max(0.0, a**2 + b**2 - 2 * alike * a * b)))
