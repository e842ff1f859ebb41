"""AUROC with its variance in closed form, groups of pictures taken as one.

What each image adds to an AUROC is the share of the other class that it is on the right side of (DeLong et al. 1988);
summed over groups before it is squared (Obuchowski 1997), it gives the variance. As an effective number of images that
enters Wilson's interval, which stays inside [0, 1] and has a width at its ends. Near 0 and 1 hardly an image is on the
wrong side, and a variance counted from so few is too small as often as not: there the number of images that the model
of Hanley and McNeil (1982) gives at the ends takes its place, with the weight of one such image (ours).
"""

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata


def influence(label, score) -> tuple[float, np.ndarray]:
    """AUROC of scores [n] for labels 0/1, both present, and what each image adds to its error, float64 [n]."""
    fake, ranks = np.asarray(label) == 1, rankdata(score)
    right = np.empty(len(ranks))
    for side in (fake, ~fake):
        right[side] = (ranks[side] - rankdata(np.asarray(score)[side])) / (~side).sum()
    right[~fake] = 1 - right[~fake]
    area = right[fake].mean()
    size = np.where(fake, fake.sum(), (~fake).sum())
    return float(area), (right - area) / np.sqrt(size * np.maximum(size - 1, 1))


def bounds(label, area: float, error, group, confidence: float) -> tuple[float, float]:
    """The ends of the interval of `area` with errors [n] as `influence` gives; `group` [n] names what goes together."""
    fakes, n = int((np.asarray(label) == 1).sum()), len(error)
    summed = pd.Series(error).groupby(np.asarray(group)).sum()
    most = len(summed) / n * fakes * (n - fakes) / (1 + (n / 2 - 1) / 2)
    doubt = 1 / (1 + most * min(area, 1 - area))
    seen = (summed**2).sum() / (area * (1 - area)) if 0 < area < 1 else 0
    return _wilson(area, 1 / (doubt / most + (1 - doubt) * seen), norm.ppf((1 + confidence) / 2))


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share among `n` images, which need not be a whole number."""
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return max(0.0, (middle - reach) / (1 + z**2 / n)), min(1.0, (middle + reach) / (1 + z**2 / n))


def gain(label, first, second, group, confidence: float) -> tuple[float, float, float]:
    """AUROC of scores `second` minus `first` [n] of the same images, and the ends of its interval.

    Distances to the ends of both intervals are squared and added, less what the two have in common (Zou and Donner
    2008, Statistics in Medicine 27, 1693-1702).
    """
    told = [influence(label, score) for score in (first, second)]
    (one, low), (two, high) = [(area, bounds(label, area, error, group, confidence)) for area, error in told]
    sums = [pd.Series(error).groupby(np.asarray(group)).sum() for _, error in told]
    spread = np.sqrt((sums[0] ** 2).sum() * (sums[1] ** 2).sum())
    alike = (sums[0] * sums[1]).sum() / spread if spread else 0.0
    ends = [_apart(two - high[0], low[1] - one, alike), _apart(high[1] - two, one - low[0], alike)]
    return two - one, two - one - ends[0], two - one + ends[1]


def _apart(a: float, b: float, alike: float) -> float:
    return float(np.sqrt(max(0.0, a**2 + b**2 - 2 * alike * a * b)))
