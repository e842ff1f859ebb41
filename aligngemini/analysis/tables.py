"""The tables of notebook 05: who judged what, how well on which subset."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from aligngemini.analysis import models as compared
from aligngemini.analysis.models import Model
from aligngemini.branches import registry
from aligngemini.core import values
from aligngemini.images import table as image_table
from aligngemini.scores import intervals, metrics
from aligngemini.scores import table as score_table

if TYPE_CHECKING:  # it finds runs, and decides nothing
    from aligngemini.core.saved_runs import SavedRun

REALS = "none"  # the family of an image without a violation
KEYS = ["title", "model", "supervision", "run"]
FACTS = ("pair_id", "label", "axis", "family", "remark", "generator", "source", "path")
CARRIED = ("benchmark", "subset", "image_id", *FACTS)


def judged(
    images: pd.DataFrame, models: list[Model], fused: pd.DataFrame | None = None, rule: str = "or"
) -> pd.DataFrame:
    """Every verdict, one row per model, subset and image; the table that all others are counted from.

    `images` is the test image table; `fused` (optional) the table of notebook 04, given by `rule`. Columns:
    title (the model in words, unique per run), model, supervision, run, those of CARRIED, score, verdict
    (Int8, NA without a score), reason.
    """
    rows = images[[name for name in CARRIED if name in images]].reset_index(drop=True)
    parts = {
        (title, each.name, each.supervision, each.run): score_table.attach(rows, each.scores, each.threshold)
        for title, each in zip(_titles(models), models, strict=True)
    }
    if fused is not None:
        columns = [name for name in CARRIED if name in fused]
        fused = fused[[*columns, "verdict", "reason", "fused_score"]].rename(columns={"fused_score": "score"})
        parts[f"fusion ({rule})", "fusion", "pure", ""] = fused
    return pd.concat(parts, names=KEYS).reset_index(KEYS).reset_index(drop=True)


def of_run(run: "SavedRun") -> tuple[pd.DataFrame, list[Model], pd.DataFrame]:
    """The test image table, the models and `judged` of a complete run of notebook 05, or of 04 as 05 would judge it.

    Raises Refused if a table is missing.
    """
    fusion = run.inputs.get("fusion", run)
    models = compared.of(run.inputs | {"fusion": fusion})
    images, fused = image_table.load(run.data.path("test.parquet")), values.read(fusion.path("fused.parquet"))
    return images, models, judged(images, models, fused, fusion.results["rule"])


def _titles(models: list[Model]) -> list[str]:
    """'VLM, mixed'; with the start of the run's name where two models would share a title."""
    titles = [", ".join(filter(None, (registry.title(each.name), each.supervision))) for each in models]
    return [
        f"{title} ({each.run[:6]})" if each.run and titles.count(title) > 1 else title
        for title, each in zip(titles, models, strict=True)
    ]


def alignment(verdicts: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Model × supervision × subset, with intervals; the table alignment.parquet.

    `verdicts` is what `judged` gives. Columns: title, model, supervision, run, benchmark, subset ('mean' last in
    each benchmark), axis, metric, value, low, high, balanced_accuracy, real_accuracy, fake_accuracy, auroc, ap,
    tpr_at_1, tpr_at_5, ece, auroc_low, auroc_high, p_chance (of a balanced accuracy of one half), n, n_real, n_fake,
    missing (images without a score, counted in no other column).
    """
    parts = {}
    for names, part in verdicts.groupby(KEYS, sort=False):
        scored = part.verdict.notna()
        measured = intervals.table(part[scored], (seed, names[1]), resamples, confidence)  # as in notebook 04
        parts[names] = measured.assign(missing=intervals.absent(measured, part[~scored]))
    table = pd.concat(parts, names=KEYS).reset_index(KEYS).reset_index(drop=True)
    table["axis"] = table.subset.map(axes(verdicts)).fillna("all")
    first = [*KEYS, "benchmark", "subset", "axis", "metric", "value", "low", "high"]
    return table[[*first, *[name for name in table if name not in first]]]


def cut_twice(images: pd.DataFrame, models: list[Model], *resampling) -> pd.DataFrame:
    """The means of `alignment` by the published threshold, one half, and by each model's validation (where it is
    known): the column thresholds says which, and so does title. `resampling`: resamples, confidence and seed."""
    parts = []
    for name in ("published", "validation"):
        cut = [each._replace(threshold=0.5 if name == "published" else each.validation) for each in models]
        cut = [each for each in cut if each.threshold is not None]
        table = alignment(judged(images, cut), *resampling)
        parts.append(table[table.subset == "mean"].assign(thresholds=name, title=table.title + ", " + name))
    return pd.concat(parts, ignore_index=True)


def axes(verdicts: pd.DataFrame) -> dict[str, str]:
    """Subset → what makes its fakes fake: semantic, pixel, both, unknown, 'several', or 'none' without fakes."""
    kinds = verdicts[verdicts.label == 1].groupby("subset").axis.unique()
    names = {subset: axis[0] if len(axis) == 1 else "several" for subset, axis in kinds.items()}
    return {subset: names.get(subset, "none") for subset in verdicts.subset.unique()}


def confusion(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Counts by title, benchmark and subset: real_real, real_fake, fake_real, fake_fake (truth first, then verdict)."""
    rows = [
        {"title": title, "model": part.model.iloc[0], "benchmark": part.benchmark.iloc[0], "subset": subset}
        | metrics.confusion(part.label, part.verdict)
        for (title, subset), part in verdicts.dropna(subset="verdict").groupby(["title", "subset"], sort=False)
    ]
    return pd.DataFrame(rows)


def agreement(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Cohen's kappa between the verdicts of each two titles on the images that both judged: 1 where they always agree,
    0 where as often as by chance; NaN where both give one verdict only.
    """
    once = verdicts.drop_duplicates(["title", "image_id"])
    wide = once.pivot(index="image_id", columns="title", values="verdict")[once.title.unique()]
    kappa = wide.astype(float).corr(method=lambda one, other: float(cohen_kappa_score(one, other)))
    return kappa.rename_axis(index=None, columns=None)


def families(verdicts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Which violations models find: a row for each family and model, from what the first model finds least; empty if no
    fake has a family.

    Columns: title, model, supervision, family (REALS for real images), called_fake (the share, with low and high:
    Wilson's interval) and n. `verdicts` is what `judged` gives; only subsets count whose fakes have nothing
    wrong but meaning, so that no model finds a violation by its pixels.
    """
    fakes = verdicts[verdicts.label == 1]
    semantic = set(fakes.subset) - set(fakes.subset[fakes["axis"] != "semantic"])
    rated = verdicts[verdicts.verdict.notna() & verdicts.subset.isin(semantic)]
    rated = rated.assign(family=rated.family.fillna("").mask(rated.label == 0, REALS))
    return _called_fake(rated, "family", confidence)


def generators(verdicts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Whose fakes models find: as `families`, by the generator of the image table, and of all subsets of `verdicts`. An
    image of several subsets counts once.
    """
    rated = verdicts[verdicts.verdict.notna()].drop_duplicates(["title", "image_id"])
    rated = rated.assign(generator=rated.generator.mask(rated.label == 0, REALS))
    return _called_fake(rated, "generator", confidence)


def _called_fake(rated: pd.DataFrame, by: str, confidence: float) -> pd.DataFrame:
    """The share called fake by title and the column `by` ("": not known, left out; REALS: real images)."""
    keys = ["title", "model", "supervision", by]
    table = rated[rated[by] != ""].groupby(keys, sort=False).verdict.agg(["sum", "count"]).reset_index()
    if not (table[by] != REALS).any():
        return table.head(0)
    tests = [binomtest(int(hits), int(n)) for hits, n in zip(table.pop("sum"), table["count"], strict=True)]
    ends = [test.proportion_ci(confidence, method="wilson") for test in tests]
    table["called_fake"] = [test.statistic for test in tests]
    table["low"], table["high"] = [end.low for end in ends], [end.high for end in ends]
    first = table[table.title == table.title.iloc[0]].set_index(by).called_fake
    place = first.drop(REALS, errors="ignore").rank(method="first")
    order = table[by].map(place).fillna(0).sort_values(kind="stable").index
    return table.rename(columns={"count": "n"}).loc[order].reset_index(drop=True)


def spell(value: float, low: float, high: float, sign: bool = False) -> str:
    """'0.93 [0.90, 0.95]', with signs for differences; '-' for what is not defined, no brackets without an interval."""
    form = "+z.2f" if sign else "z.2f"  # no -0.00
    interval = "" if np.isnan(low) else f" [{low:{form}}, {high:{form}}]"
    return "-" if np.isnan(value) else f"{value:{form}}{interval}"


def texts(table: pd.DataFrame) -> list[str]:
    """The value of each row of `alignment` with its interval, and with what it is if it is no balanced accuracy:
    '0.97 [0.95, 0.99] recall'."""
    return [
        spell(row.value, row.low, row.high) + ("" if row.metric == metrics.BALANCED else f" {row.metric}")
        for row in table.itertuples()
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """`alignment` as text: one row per model and one column per subset; with more than six of these, or several
    benchmarks, one row per (benchmark and) subset and one column per model.
    """
    places = table[["benchmark", "subset"]].drop_duplicates()
    wide = table.assign(text=texts(table)).pivot(index=["benchmark", "subset"], columns="title", values="text")
    wide = wide.loc[pd.MultiIndex.from_frame(places), table.title.unique()].fillna("-")
    wide = wide if places.benchmark.nunique() > 1 else wide.droplevel("benchmark")
    wide.index.names, wide.columns.name = [None] * wide.index.nlevels, None
    return wide if places.benchmark.nunique() > 1 or len(wide) > 6 else wide.T


def benchmarks(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The summary of each benchmark of an alignment table, in order."""
    return {name: summary(rows) for name, rows in table.groupby("benchmark", sort=False)}


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The summary of the means of several benchmarks: one row per model, one column per benchmark."""
    return pd.concat(benchmarks(table[table.subset == "mean"]), axis=1).droplevel(1, axis=1)


def first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first benchmark of a table."""
    return table[table.benchmark == table.benchmark.iloc[0]]
