"""Intervals that hold near 0 and 1 and honour that images belong together, and claims corrected for their number.

An accuracy is a weighted mean over groups: twins, a photograph and its reconstruction, or an image alone. Groups with
members in the same places (subset and class) are one kind; kinds too small to show how they vary join others. Each kind
is resampled with the weights of the Bayesian bootstrap, each group times its size. The kind that matters most has one
group more of typical size, all wrong for the lower end and all right for the upper one (Gaffke 2005; Learned-Miller and
Thomas 2019, https://arxiv.org/abs/1905.06208); the others have the variance of a stratified mean. For one kind of
images alone this is the exact interval of Clopper and Pearson, which needs no draws: 12 of 12 are 0.74 to 1. AUROC has
a closed form, see `auroc_interval`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv
from scipy.stats import norm

from aligngemini.core.params import Refused
from aligngemini.core.seeds import generator
from aligngemini.scores import auroc_interval
from aligngemini.scores.metrics import BALANCED, mean_over_subsets, per_subset

CLAIMED = 0.05  # chance of even one false claim among all that are made together
FEW = 5  # a kind of fewer groups (of equal size, or as many unequal ones as say as much) joins another


class Interval(NamedTuple):
    """An estimate and the ends of its interval; all NaN where it is not defined."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


def groups(rows: pd.DataFrame) -> pd.Series:
    """What each row is resampled with: its pair_id, or its image_id where it has none."""
    pair = rows.pair_id.fillna("") if "pair_id" in rows else pd.Series("", rows.index)
    return pair.where(pair != "", rows.image_id)


def accuracy(
    label, verdict, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95, group=None, minus=None
) -> Interval:
    """Interval of balanced accuracy of 0/1 labels and verdicts [n]; of recall or specificity if one class is absent.

    `group` [n] names what is resampled together; by default each image stands alone. The balanced accuracy of the
    verdicts `minus` [n] is subtracted, if they are given.
    """
    label = np.asarray(label)
    group = np.arange(len(label)) if group is None else group
    rows = pd.DataFrame({"subset": "", "label": label, "group": group, "gain": _gain(label, verdict, minus)})
    return _balanced(rows, 0 if minus is None else -1, rng, resamples, confidence)


def mean_accuracy(
    frame: pd.DataFrame, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95, minus=None
) -> Interval:
    """Interval of the unweighted mean of balanced accuracy over the subsets that have both classes.

    `frame` has the columns subset, image_id, label, verdict, and maybe pair_id. Subsets may share images (usually their
    reals): an image counts in all of its subsets at once. `minus` is as in `accuracy`.
    """
    both = frame.groupby("subset").label.transform("nunique") == 2
    rows = frame.assign(group=groups(frame), gain=_gain(frame.label, frame.verdict, minus))
    return _balanced(rows.loc[both], 0 if minus is None else -1, rng, resamples, confidence)


def _gain(label, verdict, minus) -> np.ndarray:
    """1 where a verdict is right, else 0, less the same of `minus`; float64 [n]."""
    right = (np.asarray(verdict) == np.asarray(label)).astype(float)
    return right if minus is None else right - (np.asarray(minus) == np.asarray(label))


def _balanced(rows: pd.DataFrame, least: float, rng, resamples: int, confidence: float) -> Interval:
    """Interval of the mean, over subsets and in them over classes, of `gain`, which lies in [`least`, 1]."""
    if not 0 < confidence < 1:
        raise Refused(f"confidence must lie between 0 and 1, got {confidence}; 0.95 is usual.")
    if rows.empty:
        return UNDEFINED
    (subset, _), (group, _) = pd.factorize(rows.subset, sort=True), pd.factorize(rows.group)
    place = 2 * subset + rows.label.to_numpy()
    size = np.bincount(place, minlength=2 * (subset.max() + 1))
    weight = 1 / (size[place] * ((size > 0).reshape(-1, 2).sum(axis=1) * (subset.max() + 1))[place // 2])
    whole, gain = (np.bincount(group, each) for each in (weight, weight * rows.gain))
    kind = _joined(_kinds(group, place), whole)
    cells, counts = np.unique([kind, whole.round(12), (gain / whole).round(9)], axis=1, return_counts=True)
    ends = _ends(cells, counts, least, rng, resamples, (1 - confidence) / 2)
    return Interval(float(gain.sum()), *map(float, np.clip(ends, [least, gain.sum()], [gain.sum(), 1])))


def _kinds(group, place) -> np.ndarray:
    """The kind of each group, an integer [groups]: groups with members in the same places have the same one."""
    group, place = np.divmod(np.unique(group * (place.max() + 1) + place), place.max() + 1)
    codes = np.random.default_rng(0).random(place.max() + 1)  # whose sum tells sets of places apart
    return np.unique(np.bincount(group, codes[place]).round(9), return_inverse=True)[1]


def _joined(kind, whole) -> np.ndarray:
    """`kind` of groups of weights `whole` [n], the smallest joined with the next until all say as much as `FEW`."""
    while True:
        kind = np.unique(kind, return_inverse=True)[1]
        size = np.bincount(kind, whole) ** 2 / np.bincount(kind, whole**2)  # of Kish: in groups of equal weight
        if len(size) == 1 or size.min() >= FEW:
            return kind
        smallest = np.argsort(size.round(9), kind="stable")
        kind[kind == smallest[0]] = smallest[1]


def _ends(cells, counts, least: float, rng, resamples: int, tail: float) -> tuple[float, float]:
    """The ends for `counts` [c] groups of each of `cells` [3, c]: their kind, weight and mean gain."""
    kind, weight, values = cells
    if len(np.unique(cells[:2], axis=1).T) == 1 and np.isin(values, (least, 1)).all():
        n, right = counts.sum(), counts[values == 1].sum()
        low = betaincinv(right, n - right + 1, tail) if right else 0
        high = betaincinv(right + 1, n - right, 1 - tail) if right < n else 1
        return least + (1 - least) * low, least + (1 - least) * high
    return tuple(
        np.quantile(_means(kind.astype(int), weight, values, counts, worst, rng, resamples), level, method="weibull")
        for worst, level in ((least, tail), (1, 1 - tail))
    )


def _means(kind, weight, values, counts, worst: float, rng, resamples: int) -> np.ndarray:
    """Means [resamples] of all groups resampled in their kinds, one of which has a group of mean `worst` more."""
    total = np.bincount(kind, counts * weight)
    typical = np.bincount(kind, counts * weight**2) / total  # weight of the group of an image taken at random
    apart = np.abs(np.bincount(kind, counts * weight * values) / total - worst)
    most = np.argmax((apart * typical).round(12))
    shape = counts * np.where(kind == most, 1, 1 - 2 * typical[kind] / total[kind])
    shape, weight, values = np.append(shape, 1), np.append(weight, typical[most]), np.append(values, worst)
    sample = rng.standard_gamma(shape, (resamples, len(shape))) * weight
    member = np.eye(len(total))[np.append(kind, most)]
    return (sample * values) @ member / (sample @ member) @ total


def roc_area(label, score, confidence: float = 0.95, group=None, minus=None) -> Interval:
    """Interval of AUROC for labels 0/1 and scores [n], less that of the scores `minus` [n]; undefined for one class."""
    if len(np.unique(label)) < 2:
        return UNDEFINED
    group = np.arange(len(label)) if group is None else group
    area = auroc_interval.area(label, score, group, confidence)
    if minus is None:
        return Interval(*area[:3])
    return Interval(*auroc_interval.difference(auroc_interval.area(label, minus, group, confidence), area))


def p_value(interval, null: float = 0.0, confidence: float = 0.95) -> float:
    """Two-sided p of `null` from an interval's end on its side (Altman and Bland 2011, BMJ 343, d2304); 1 at the value.

    It is below 1 - `confidence` exactly where the interval leaves `null` out.
    """
    value, low, high = interval
    reach = value - low if value > null else high - value
    return float(2 * norm.sf(abs(value - null) / reach * norm.ppf((1 + confidence) / 2))) if value != null else 1.0


def holm(p) -> np.ndarray:
    """Holm's adjustment of the p-values [n] of one family of tests, float64 [n] in their order; NaN stay, uncounted.

    The chance of even one false claim is at most a, however the tests depend on each other, if only those whose
    adjusted p is below a are claimed (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).
    """
    adjusted = np.array(p, dtype=np.float64)
    places = np.flatnonzero(~np.isnan(adjusted))
    places = places[np.argsort(adjusted[places], kind="stable")]
    raised = adjusted[places] * np.arange(len(places), 0, -1)
    adjusted[places] = np.minimum(1, np.maximum.accumulate(raised))
    return adjusted


def table(frame: pd.DataFrame, key: tuple, resamples: int = 2000, confidence: float = 0.95) -> pd.DataFrame:
    """`metrics.per_subset` with intervals (low and high of `value`, auroc_low, auroc_high), p_chance (of a balanced
    accuracy of one half), and a row named mean after the subsets of each benchmark.

    `frame` has the columns subset, image_id, label, verdict, score, maybe pair_id, and benchmark (without it all are of
    one, ""). `key` says what is judged: each row draws from a generator of its own, made from it and the subset.
    A mean is that of its benchmark alone: of AUROC it carries no interval, its n, n_real and n_fake count distinct
    images, and subsets of one class take no part.
    """
    frame = frame if "benchmark" in frame else frame.assign(benchmark="")
    parts = {
        name: _benchmark(part, (*key, name), resamples, confidence)
        for name, part in frame.groupby("benchmark", sort=False)
    }
    return pd.concat(parts, names=["benchmark"]).reset_index("benchmark").reset_index(drop=True)


def _benchmark(frame: pd.DataFrame, key: tuple, resamples: int, confidence: float) -> pd.DataFrame:
    """The rows of `table` for one benchmark, mean last."""
    measures, ends = per_subset(frame), []
    for subset, part in frame.groupby("subset", sort=False):
        group, rng = groups(part), generator("interval", *key, subset)
        value = accuracy(part.label, part.verdict, rng, resamples, confidence, group)
        ends.append((value, roc_area(part.label, part.score, confidence, group)))
    last = measures.subset[0] if len(ends) == 1 else "mean of subsets"  # the mean of one subset is its own number
    ends.append((mean_accuracy(frame, generator("interval", *key, last), resamples, confidence), UNDEFINED))
    images = frame.drop_duplicates("image_id")
    counts = {"n": len(images), "n_real": (images.label == 0).sum(), "n_fake": (images.label == 1).sum()}
    whole = pd.concat([measures, pd.DataFrame([mean_over_subsets(measures) | counts])], ignore_index=True)
    p_chance = np.array([p_value(value, 0.5, confidence) for value, _ in ends])
    return whole.assign(
        low=[value.low for value, _ in ends],
        high=[value.high for value, _ in ends],
        auroc_low=[area.low for _, area in ends],
        auroc_high=[area.high for _, area in ends],
        p_chance=np.where(whole.metric == BALANCED, p_chance, np.nan),
    )


def absent(measured: pd.DataFrame, missing: pd.DataFrame) -> pd.Series:
    """How many rows of `missing` (benchmark, subset) each row of a `table` stands for; a mean, for all of its
    benchmark; int.
    """
    missing = missing if "benchmark" in missing else missing.assign(benchmark="")
    subsets, benchmarks = (missing.groupby(name).size() for name in ("subset", "benchmark"))
    counts = measured.subset.map(subsets).where(measured.subset != "mean", measured.benchmark.map(benchmarks))
    return counts.fillna(0).astype(int)
