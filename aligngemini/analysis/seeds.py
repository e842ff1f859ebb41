"""One table of a sweep: values seed by seed, their mean, and an interval over seeds, never over pictures."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from aligngemini.analysis import models, tables
from aligngemini.branches import registry
from aligngemini.core import values
from aligngemini.core.stages import DATA, FUSION
from aligngemini.images import table as images
from aligngemini.scores import metrics

AUROC = "AUROC"
BETTER = "better branch"
RUN = ["data", "point", "model", "supervision"]
ROW = [*RUN, "against", "benchmark", "subset", "metric"]


class Spread(NamedTuple):
    """Mean, interval and number of the seeds that have a value."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: Iterable[float], confidence: float = 0.95) -> Spread:
    """Student's t interval of the mean of one value per seed; NaN are left out, fewer than two give no ends."""
    known = np.array([value for value in values if not np.isnan(value)], dtype=np.float64)
    if len(known) < 2:
        return Spread(float(known.mean()) if len(known) else np.nan, np.nan, np.nan, len(known))
    mean, error = known.mean(), known.std(ddof=1) / np.sqrt(len(known))
    reach = stats.t.ppf((1 + confidence) / 2, len(known) - 1) * error
    return Spread(float(mean), float(mean - reach), float(mean + reach), len(known))


def gather(made: list, confidence: float = 0.95) -> pd.DataFrame:
    """The table of a sweep from its runs (workflow.sweep.Made): levels first, then differences between them.

    Columns: data (point of notebook 01), point (of the model's own notebook), model, supervision, against ("" for
    levels), benchmark, subset (mean: unweighted, last in its benchmark), metric, one column per seed ("seed 0"),
    mean, low, high, n (seeds). A difference is taken within each seed: of every model minus the first of its kind on
    the same data, and of fusion minus the better of its branches on the very same row. With several points of 01,
    rows whose data is "mean of <n>" follow.
    """
    parts = itertools.groupby(made, key=lambda each: (each.seed, each.data))
    long = pd.concat([_part(list(runs)).assign(seed=seed) for (seed, _), runs in parts], ignore_index=True)
    long = pd.concat([long, _over_data(long)], ignore_index=True)
    return spread(long, ROW, confidence)


def spread(long: pd.DataFrame, row: list[str], confidence: float = 0.95) -> pd.DataFrame:
    """Long values (columns `row`, seed, value) as one column per seed and their Spread, rows as they first appear."""
    order = long[row].drop_duplicates()
    wide = long.pivot(index=row, columns="seed", values="value").loc[pd.MultiIndex.from_frame(order)]
    found = [interval(values, confidence) for values in wide.to_numpy()]
    spreads = pd.DataFrame(found, index=wide.index, columns=Spread._fields)
    wide.columns = [f"seed {seed}" for seed in wide.columns]
    table = wide.join(spreads).reset_index()
    levels = table["against"].eq("") if "against" in table else slice(None)
    table.loc[levels, ["low", "high"]] = table.loc[levels, ["low", "high"]].clip(0, 1)  # a share is never more
    return table


def _over_data(long: pd.DataFrame) -> pd.DataFrame:
    """The same rows averaged over the points of notebook 01, where there are several."""
    count = long.data.nunique()
    keys = [name for name in [*ROW, "seed"] if name != "data"]
    pooled = long.groupby(keys, sort=False, as_index=False).value.mean()
    return pooled.assign(data=f"mean of {count}") if count > 1 else long.head(0)


def _part(runs: list) -> pd.DataFrame:
    """Levels and differences of the runs of one seed on one data run; columns ROW (metric included) and value."""
    data = next(run for run in runs if run.answer.notebook == DATA)
    test = images.load(data.answer.folder / "test.parquet")
    fusions = [run.answer.folder for run in runs if run.answer.notebook == FUSION]
    at = models.fixed(fusions[0]) if fusions else None  # branches are judged as fusion joins them
    judged = [(run, _judged(run, test, at)) for run in runs if run.answer.notebook != DATA]
    levels = [_levels(run, part) for run, every in judged for _, part in every.groupby("title", sort=False)]
    branches = [level for level in levels if level.model.iloc[0] != "fusion"]
    kinds = itertools.groupby(branches, key=lambda level: level.model.iloc[0])
    alike = [list(same) for _, same in kinds]
    gains = [_minus(level, same[0], _name(same[0])) for same in alike for level in same[1:]]
    fused = [level for level in levels if level.model.iloc[0] == "fusion"]
    gains += [_minus(level, _better([same[0] for same in alike]), BETTER) for level in fused]
    return pd.concat([*levels, *gains], ignore_index=True)


def _levels(run, judged: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy and AUROC of one model on every subset, and their mean over each benchmark."""
    whole = judged[judged.verdict.notna()].astype({"verdict": int})
    rows = []
    for name, part in whole.groupby("benchmark", sort=False):
        measures = metrics.per_subset(part)
        for row in [*measures.to_dict("records"), metrics.mean_over_subsets(measures)]:
            told = {"benchmark": name, "subset": row["subset"]}
            rows += [told | {"metric": row["metric"], "value": row["value"]}]
            rows += [told | {"metric": AUROC, "value": row["auroc"]}]
    first = judged.iloc[0]
    own = {"data": run.data, "point": run.point, "model": registry.title(first.model), "supervision": first.supervision}
    return pd.DataFrame(rows).assign(**own, against="").dropna(subset="value")


def _judged(run, test: pd.DataFrame, at: dict[str, float] | None) -> pd.DataFrame:
    """What one run judged: its branch, or fusion with the branches that have no run of their own."""
    folder = run.answer.folder
    if run.answer.notebook != FUSION:
        return tables.judged(test, [models.of_run(folder, at)])
    return tables.judged(test, models.without_run(folder), values.read(folder / "fused.parquet"))


def _better(branches: list[pd.DataFrame]) -> pd.DataFrame:
    """Row by row the higher of the branches that were joined."""
    keys = ["benchmark", "subset", "metric"]
    return pd.concat(branches).groupby(keys, sort=False, as_index=False).value.max()


def _minus(level: pd.DataFrame, other: pd.DataFrame, against: str) -> pd.DataFrame:
    keys = ["benchmark", "subset", "metric"]
    both = level.merge(other[[*keys, "value"]], on=keys, suffixes=("", "_other"))
    return both.assign(value=both.value - both.value_other, against=against).drop(columns="value_other")


def _name(level: pd.DataFrame) -> str:
    first = level.iloc[0]
    return ", ".join(filter(None, [first.model, first.supervision, first.point]))


def shown(table: pd.DataFrame, metric: str = metrics.BALANCED) -> pd.DataFrame:
    """The rows of one metric as people read them: see `spelt`."""
    return spelt(table[table.metric == metric].drop(columns="metric"))


def spelt(rows: pd.DataFrame) -> pd.DataFrame:
    """A `spread` as people read it: two decimals, differences with a sign, empty columns left out."""
    numbers = [name for name in rows if name.startswith("seed ") or name in Spread._fields[:-1]]
    signs = rows["against"].ne("") if "against" in rows else [False] * len(rows)
    text = {name: [_spell(*pair) for pair in zip(rows[name], signs, strict=True)] for name in numbers}
    told = [name for name in rows if name not in [*numbers, "n"] and rows[name].ne("").any()]
    return rows.assign(**text)[[*told, *numbers, "n"]].reset_index(drop=True)


def _spell(value: float, sign: bool) -> str:
    return "-" if np.isnan(value) else f"{value:+.2f}" if sign else f"{value:.2f}"
