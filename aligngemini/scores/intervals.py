"""Percentile bootstrap intervals, stratified by class, and paired tests on the same images.

Resampling images only changes how many of them are right, so accuracies are resampled as binomial and
multinomial counts: the same distribution as drawing images one by one, at a cost that does not grow with
their number. AUROC is resampled in `area`. A class without a single error has an
interval of width zero: a bootstrap cannot draw an error it never saw, so read n beside it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from aligngemini.scores import area
from aligngemini.scores.metrics import auroc, confusion, mean_over_subsets, per_subset
from aligngemini.workbook.params import Refused


class Interval(NamedTuple):
    """An estimate and the ends of its percentile interval; all NaN where it is not defined."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


def percentile(value: float, draws: np.ndarray, confidence: float) -> Interval:
    """The central `confidence` (0 to 1) part of `draws` [resamples] around the estimate `value`."""
    if not 0 < confidence < 1:
        raise Refused(f"confidence must lie between 0 and 1, got {confidence}; 0.95 is usual.")
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def accuracy(label, verdict, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95) -> Interval:
    """Interval of balanced accuracy of 0/1 labels and verdicts [n]; of recall or specificity if one class
    is absent."""
    cell = confusion(label, verdict)
    sizes = {"real": cell["real_real"] + cell["real_fake"], "fake": cell["fake_real"] + cell["fake_fake"]}
    if not any(sizes.values()):
        return UNDEFINED
    right = {"real": cell["real_real"], "fake": cell["fake_fake"]}
    present = [name for name in sizes if sizes[name]]
    draws = [rng.binomial(sizes[name], right[name] / sizes[name], resamples) / sizes[name] for name in present]
    value = np.mean([right[name] / sizes[name] for name in present])
    return percentile(value, np.mean(draws, axis=0), confidence)


def mean_accuracy(
    frame: pd.DataFrame, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """Interval of the unweighted mean of balanced accuracy over the subsets that have both classes.

    `frame` has the columns subset, image_id, label, verdict. Subsets may share images (usually their
    reals): an image is drawn once for all of its subsets, so images are grouped by the set of subsets they
    stand in.
    """
    classes = frame.groupby("subset").label.nunique()
    frame = frame[frame.subset.isin(classes.index[classes == 2])]
    if frame.empty:
        return UNDEFINED
    weights, sizes, right = _shared_strata(frame)
    draws = np.stack([rng.binomial(n, k / n, resamples) for n, k in zip(sizes, right, strict=True)])
    return percentile(weights @ right, weights @ draws, confidence)


def _shared_strata(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strata of images in the same subsets with one label: weight of a right verdict in the mean, size,
    right ones."""
    frame = frame.assign(right=(frame.label == frame.verdict).astype(int))
    per_class = frame.groupby(["subset", "label"]).image_id.transform("size")
    frame["weight"] = 1 / (2 * frame.subset.nunique() * per_class)
    frame["code"] = 1 << pd.factorize(frame.subset)[0].astype(object)  # whole numbers of any length: many subsets
    images = frame.groupby("image_id").agg(
        label=("label", "first"), right=("right", "first"), weight=("weight", "sum"), code=("code", "sum")
    )
    strata = images.groupby(["label", "code"]).agg(
        weight=("weight", "first"), size=("right", "size"), right=("right", "sum")
    )
    return strata.weight.to_numpy(), strata["size"].to_numpy(), strata.right.to_numpy()


def roc_area(label, score, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95) -> Interval:
    """Interval of AUROC for labels 0/1 and scores [n]; undefined if a class is absent."""
    value = auroc(label, score)
    if np.isnan(value):
        return UNDEFINED
    return percentile(value, area.draws(label, score, rng, resamples), confidence)


def accuracy_difference(
    label, first, second, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """Interval of balanced accuracy of verdicts `second` minus `first` on the same images (labels 0/1, all
    [n])."""
    label = np.asarray(label)
    gain = (np.asarray(second) == label).astype(int) - (np.asarray(first) == label).astype(int)
    parts = [gain[label == value] for value in (0, 1) if (label == value).any()]
    if not parts:
        return UNDEFINED
    draws = [
        rng.multinomial(len(part), np.bincount(part + 1, minlength=3) / len(part), resamples) @ [-1, 0, 1] / len(part)
        for part in parts
    ]
    return percentile(np.mean([part.mean() for part in parts]), np.mean(draws, axis=0), confidence)


def roc_area_difference(
    label, first, second, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """Interval of AUROC of scores `second` minus `first` on the same images, drawn together; undefined for
    one class."""
    value = auroc(label, second) - auroc(label, first)
    if np.isnan(value):
        return UNDEFINED
    return percentile(value, area.gains(label, first, second, rng, resamples), confidence)


class McNemar(NamedTuple):
    """Images only the first set of verdicts has right, those only the second has, and the exact two-sided
    p."""

    only_first: int
    only_second: int
    p: float


def mcnemar(label, first, second) -> McNemar:
    """Exact McNemar test of two sets of verdicts 0/1 on the same images, over both classes together."""
    label = np.asarray(label)
    a, b = np.asarray(first) == label, np.asarray(second) == label
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    apart = only_first + only_second
    p = float(binomtest(only_first, apart, 0.5).pvalue) if apart else 1.0
    return McNemar(only_first, only_second, p)


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


def table(
    frame: pd.DataFrame, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95
) -> pd.DataFrame:
    """`metrics.per_subset` with intervals (low and high of `value`, auroc_low, auroc_high), and a row named mean
    after the subsets of each benchmark.

    `frame` has the columns subset, image_id, label, verdict, score, and benchmark (without it all subsets are of
    one, ""). A mean is that of its benchmark alone: of AUROC it carries no interval, its n, n_real and n_fake count
    distinct images, and subsets of one class take no part.
    """
    frame = frame if "benchmark" in frame else frame.assign(benchmark="")
    groups = frame.groupby("benchmark", sort=False)
    parts = [_benchmark(part, rng, resamples, confidence).assign(benchmark=name) for name, part in groups]
    table = pd.concat(parts, ignore_index=True)
    return table[["benchmark", *[name for name in table if name != "benchmark"]]]


def _benchmark(frame, rng, resamples, confidence) -> pd.DataFrame:
    """The rows of `table` for one benchmark, mean last."""
    measures = per_subset(frame)
    bounds = []
    for _, part in frame.groupby("subset", sort=False):
        value = accuracy(part.label, part.verdict, rng, resamples, confidence)
        ranks = roc_area(part.label, part.score, rng, resamples, confidence)
        bounds.append({"low": value.low, "high": value.high, "auroc_low": ranks.low, "auroc_high": ranks.high})
    measures = pd.concat([measures, pd.DataFrame(bounds)], axis=1)
    return pd.concat([measures, _mean_row(frame, measures, rng, resamples, confidence)], ignore_index=True)


def _mean_row(frame, measures, rng, resamples, confidence) -> pd.DataFrame:
    """The last row of a benchmark."""
    mean = mean_over_subsets(measures)
    value = mean_accuracy(frame, rng, resamples, confidence)
    images = frame[~frame.image_id.duplicated()]
    fakes = int((images.label == 1).sum())
    names = {name: mean[name] for name in mean if name not in ("subsets", "left_out")}
    return pd.DataFrame(
        [
            {
                **names,
                "low": value.low,
                "high": value.high,
                "auroc_low": np.nan,
                "auroc_high": np.nan,
                "n": len(images),
                "n_real": len(images) - fakes,
                "n_fake": fakes,
            }
        ]
    )


def absent(measured: pd.DataFrame, missing: pd.DataFrame) -> pd.Series:
    """How many rows of `missing` (benchmark, subset) each row of a `table` stands for; a mean, for all of its
    benchmark; int.
    """
    missing = missing if "benchmark" in missing else missing.assign(benchmark="")
    subsets, benchmarks = (missing.groupby(name).size() for name in ("subset", "benchmark"))
    counts = measured.subset.map(subsets).where(measured.subset != "mean", measured.benchmark.map(benchmarks))
    return counts.fillna(0).astype(int)
