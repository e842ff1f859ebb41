"""Verdicts of any rule at any thresholds on saved scores, counted again: what the explorer of notebook 04 shows."""

from functools import lru_cache

import numpy as np
import pandas as pd

from aligngemini.branches import registry
from aligngemini.core.seeds import generator
from aligngemini.fusion import join, rules
from aligngemini.scores import intervals, metrics


class Recount:
    """The images of a fused table that all branches have scored, and the verdicts of rules on them.

    `fit` makes a rule, as rules.Fusion.fit: (rule, thresholds, places of the branches) -> Fusion. `parts` is title ->
    the rows of one subset, or of all subsets of a benchmark, which comes first.
    """

    def __init__(self, frame: pd.DataFrame, names: list[str], fit, key: tuple, resamples: int, confidence: float):
        whole = join.scored(frame, names)
        self.rows, self.names, self.fit = frame[whole].reset_index(drop=True), names, fit
        self.scores, self.label = self.rows[join.columns(names)].to_numpy(float), self.rows.label.to_numpy(int)
        self.key, self.resampling = key, (resamples, confidence)
        self.group = intervals.groups(self.rows)
        self.missing = frame[~whole].benchmark.value_counts()
        self.parts = self._parts()
        self.verdict = lru_cache(64)(self._verdict)

    def _parts(self) -> dict[str, np.ndarray]:
        several, single = {}, {}
        for benchmark, rows in self.rows.groupby("benchmark", sort=False):
            subsets = {subset: part.index.to_numpy() for subset, part in rows.groupby("subset", sort=False)}
            single |= subsets
            if len(subsets) > 1:
                several[f"{benchmark}: all {len(subsets)} subsets"] = rows.index.to_numpy()
        return several | single

    def _verdict(self, rule: str, thresholds: tuple[float, ...], places: tuple[int, ...]) -> np.ndarray:
        return self.fit(rule, thresholds, places)(self.scores[:, places])[0]

    def verdicts(self, rule: str, thresholds: tuple[float, ...], without: int | None = None) -> np.ndarray:
        """Verdicts int8 [n] of all branches, or of all but one."""
        places = tuple(place for place in range(len(self.names)) if place != without)
        return self.verdict(rule, tuple(thresholds[place] for place in places), places)

    def distinct(self, part: str) -> np.ndarray:
        """The first row of each image of a part."""
        rows = self.parts[part]
        return rows[~self.rows.image_id.iloc[rows].duplicated().to_numpy()]

    def subsets(self, part: str, verdict: np.ndarray) -> pd.DataFrame:
        """A row of confusion counts and accuracies with an interval for each subset of a part, then their mean if there
        are several. The numbers are those of the run's rules.parquet.
        """
        rows = self.rows.iloc[self.parts[part]].assign(verdict=verdict[self.parts[part]])
        found, benchmark = [], rows.benchmark.iloc[0]
        for subset, each in rows.groupby("subset", sort=False):
            rng = generator("interval", *self.key, benchmark, subset)
            ends = intervals.accuracy(each.label, each.verdict, rng, *self.resampling, self.group[each.index])
            counts = metrics.confusion(each.label, each.verdict) | metrics.accuracies(each.label, each.verdict)
            found.append({"subset": subset, **counts, "low": ends.low, "high": ends.high})
        if len(found) > 1:
            rng = generator("interval", *self.key, benchmark, "mean of subsets")
            ends = intervals.mean_accuracy(rows, rng, *self.resampling)
            found.append({"subset": "mean", "metric": metrics.BALANCED, **ends._asdict()})
        return pd.DataFrame(found)

    def balanced(self, part: str, verdict: np.ndarray) -> float:
        """The mean, over the subsets of a part that have both classes, of balanced accuracy."""
        rows = self.parts[part]
        subset, label = pd.factorize(self.rows.subset.iloc[rows])[0], self.label[rows]
        right = np.bincount(2 * subset + label, verdict[rows] == label, 2 * subset.max() + 2)
        with np.errstate(invalid="ignore"):  # a subset of one class has no balanced accuracy
            shares = right / np.bincount(2 * subset + label, minlength=2 * subset.max() + 2)
        return float(np.nanmean(shares.reshape(-1, 2).mean(axis=1))) if (label.min(), label.max()) == (0, 1) else np.nan

    def branches(self, part: str, rule: str, thresholds: tuple[float, ...], used: tuple[float, ...]) -> list[dict]:
        """What each branch does among the distinct images of a part: how many reals and fakes are above the threshold
        that is `used`, for how many of them this holds of it alone, and what the rule's balanced accuracy loses without
        it (NaN for an only branch).
        """
        rows = self.distinct(part)
        above, real = self.scores[rows] > used, self.label[rows] == 0
        alone = above & (above.sum(axis=1, keepdims=True) == 1)
        whole, found = self.balanced(part, self.verdicts(rule, thresholds)), []
        for place, name in enumerate(self.names):
            less = self.balanced(part, self.verdicts(rule, thresholds, place)) if len(self.names) > 1 else np.nan
            counts = {"real": above[real, place], "real_alone": alone[real, place]}
            counts |= {"fake": above[~real, place], "fake_alone": alone[~real, place]}
            totals = {which: int(each.sum()) for which, each in counts.items()}
            found.append({"title": registry.title(name), **totals, "adds": whole - less})
        return found

    def moved(self, part: str, verdict: np.ndarray, before: np.ndarray) -> pd.DataFrame:
        """The distinct images of a part whose verdict differs, with the verdicts `before` and `verdict`."""
        rows = self.distinct(part)
        return self.judged(rows[verdict[rows] != before[rows]], verdict, before)

    def judged(self, rows: np.ndarray, verdict: np.ndarray, before: np.ndarray) -> pd.DataFrame:
        """The images `rows` with the verdicts `before` and `verdict`."""
        return self.rows.iloc[rows].assign(before=before[rows], verdict=verdict[rows])


def ignores_thresholds(rule: str, branches: int) -> bool:
    """Whether no threshold changes what a rule says: it is fitted, or takes the scores as they are."""
    if rules.RULES[rule].fitted:
        return True
    low, high = (rules.Fusion(rule, (at,) * branches)(np.full((1, branches), 0.5))[0] for at in (0.1, 0.9))
    return bool(low == high)
