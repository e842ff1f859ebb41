"""One table of a sweep: values seed by seed, their mean, and an interval over seeds, never over images."""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from aligngemini.analysis import models, tables
from aligngemini.branches import registry
from aligngemini.core import values
from aligngemini.core.stages import DATA, FUSION
from aligngemini.images import table as images
from aligngemini.scores import metrics

AUROC, BETTER = "AUROC", "better branch"
ABOUT = ["model", "supervision", "point"]
PLACE = ["benchmark", "subset", "metric"]
ROW = ["data", "point", "model", "supervision", "against", *PLACE]
SPREAD = ["mean", "low", "high"]


def gather(runs: list) -> pd.DataFrame:
    """The table of a sweep from its runs (of workflow.sweep): levels first, then differences between them.

    Columns: data (point of notebook 01), point (of the model's own notebook), model, supervision, against ("" for
    levels), benchmark, subset (mean: unweighted, last in its benchmark), metric, one column per seed ("seed 0"),
    mean, low, high, n (seeds). A difference is taken within each seed: of every model minus the first of its kind on
    the same data and at the same point, of the first at a point minus the very first, and of fusion minus the better
    of its branches on the very same row. With several points of 01, rows whose data is "mean of <n>" follow.
    """
    parts = itertools.groupby(runs, key=lambda run: (run.seed, run.data))
    long = pd.concat([_part(list(part)).assign(seed=seed, data=data) for (seed, data), part in parts])
    if (count := long.data.nunique()) > 1:
        keys = [name for name in [*ROW, "seed"] if name != "data"]
        pooled = long.groupby(keys, sort=False, as_index=False).value.mean()
        long = pd.concat([long, pooled.assign(data=f"mean of {count}")])
    return spread(long, ROW)


def spread(long: pd.DataFrame, row: list[str]) -> pd.DataFrame:
    """Long values (columns `row`, seed, value) as one column per seed, with the mean over seeds, its 95 % interval
    (Student's t; NaN for one seed) and their number n; NaN are left out. Rows stand as they first appear.
    """
    order = pd.MultiIndex.from_frame(long[row].drop_duplicates())
    wide = long.pivot(index=row, columns="seed", values="value").loc[order]
    n, mean = wide.count(axis=1), wide.mean(axis=1)
    reach = stats.t.ppf(0.975, n - 1) * wide.sem(axis=1)
    level = order.get_level_values("against") == "" if "against" in row else np.full(len(wide), True)
    low, high = mean - reach, mean + reach
    low, high = low.mask(level, low.clip(lower=0)), high.mask(level, high.clip(upper=1))  # a share is never more
    wide.columns = [f"seed {seed}" for seed in wide.columns]
    return wide.assign(mean=mean, low=low, high=high, n=n).reset_index()


def _part(runs: list) -> pd.DataFrame:
    """Levels and differences of the runs of one seed on one data run; columns ROW without data, and value."""
    data = next(run for run in runs if run.answer.notebook == DATA)
    test = images.load(data.answer.folder / "test.parquet")
    fusions = [run.answer.folder for run in runs if run.answer.notebook == FUSION]
    fixed = models.fixed(fusions[0]) if fusions else None  # branches are judged as fusion joins them
    judged = [(run, _judged(run, test, fixed)) for run in runs if run.answer.notebook != DATA]
    levels = [_levels(run.point, part) for run, every in judged for _, part in every.groupby("title", sort=False)]
    first: dict[str, pd.DataFrame] = {}  # of each kind
    beside: dict[tuple[str, str], pd.DataFrame] = {}  # of each kind at each point
    gains = []
    for level in levels:
        model, point = level.loc[0, ["model", "point"]]
        if model == "fusion":
            continue
        against = beside.get((model, point), first.get(model))
        if against is not None:
            gains.append(_minus(level, against, ", ".join(filter(None, against.loc[0, ABOUT]))))
        first.setdefault(model, level)
        beside.setdefault((model, point), level)
    better = pd.concat(first.values()).groupby(PLACE, sort=False, as_index=False).value.max()
    gains += [_minus(level, better, BETTER) for level in levels if level.model[0] == "fusion"]
    return pd.concat([*levels, *gains])


def _judged(run, test: pd.DataFrame, fixed: dict[str, float] | None) -> pd.DataFrame:
    """What one run judged: its branch, or fusion with the branches that have no run of their own."""
    folder = run.answer.folder
    if run.answer.notebook != FUSION:
        return tables.judged(test, [models.of_run(folder, fixed)])
    return tables.judged(test, models.without_run(folder), values.read(folder / "fused.parquet"))


def _levels(point: str, judged: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy and AUROC of one model on every subset, and their mean over each benchmark."""
    rows = []
    for name, part in judged.dropna(subset="verdict").groupby("benchmark", sort=False):
        measures = metrics.per_subset(part)
        for row in [*measures.to_dict("records"), metrics.mean_over_subsets(measures)]:
            for metric, value in ((row["metric"], row["value"]), (AUROC, row["auroc"])):
                rows.append({"benchmark": name, "subset": row["subset"], "metric": metric, "value": value})
    title, supervision = registry.title(judged.model.iloc[0]), judged.supervision.iloc[0]
    levels = pd.DataFrame(rows).dropna(subset="value").reset_index(drop=True)
    return levels.assign(point=point, model=title, supervision=supervision, against="")


def _minus(level: pd.DataFrame, other: pd.DataFrame, against: str) -> pd.DataFrame:
    both = level.merge(other[[*PLACE, "value"]], on=PLACE, suffixes=("", "_other"))
    return both.assign(value=both.value - both.pop("value_other"), against=against)


def shown(rows: pd.DataFrame, across: str) -> pd.DataFrame:
    """Rows of a `spread` as people read them: a column for each value of `across`, in whose cells the mean over seeds
    stands with its interval (differences with signs), and a row for what else is said; what is empty is left out.
    """
    signed = rows.against.ne("") if "against" in rows else pd.Series(False, rows.index)
    cells = zip(*(rows[name] for name in SPREAD), signed, strict=True)
    numbers = [name for name in rows if name.startswith("seed ") or name in [*SPREAD, "n"]]
    about = [name for name in rows if name not in [*numbers, across] and rows[name].ne("").any()]
    wide = rows.assign(text=[tables.spell(*cell) for cell in cells]).pivot(index=about, columns=across, values="text")
    order = pd.MultiIndex.from_frame(rows[about].drop_duplicates()) if len(about) > 1 else rows[about[0]].unique()
    return wide.loc[order, rows[across].unique()].fillna("-").rename_axis(columns=None).reset_index()
