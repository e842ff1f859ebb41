"""What others have published, as data, and our measurements beside it.

Every value is the named source's, none is ours, all as fractions in [0, 1]. A spread is over what `spread_of` says,
never over repeated runs. Rows with a `doubt` may not be what their header says. Numbers without a public address are
left out, and so are ablations, which come from another version of their paper.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aligngemini.analysis import models
from aligngemini.images.loaders.benchmarks import LAYOUTS, key
from aligngemini.images.protocols import PROTOCOLS, Protocol, treatment
from aligngemini.scores.metrics import BALANCED, RECALL, SPECIFICITY

FILE = Path(__file__).with_name("published.csv")
BENCHMARKS = tuple(map(key, LAYOUTS))
PRECISION, GAIN = "average precision", "gain over the previous best"
COLUMNS = {"real_accuracy": SPECIFICITY, "fake_accuracy": RECALL, "ap": PRECISION}
ROW = ["benchmark", "subset", "metric", "value"]
ABOUT = ["title", "benchmark", "subset", "metric", "detector"]
NOT_RUN, OTHER, PROTOCOL = "not run", "other metric", "other protocol"
# Subsets behind a published mean, where they are known: ours of fewer or more is no number of the same kind.
SUBSETS = {key(name): layout.published_subsets for name, layout in LAYOUTS.items() if layout.published_subsets}
PUBLISHED = "published"  # as PROTOCOLS[PUBLISHED] declares, in the column protocol of a published row


def load() -> pd.DataFrame:
    """Every published row.

    Columns: detector, benchmark (one of BENCHMARKS, or the name of a group: in_the_wild_5 are BFree-Online, WildRF,
    Chameleon, AIGIBench and CO-SPY, average_of_11 those of Dual Data Alignment), subset ("mean" of a data set, "mean of
    25" for AIGIBench over all its sub-sets, of which the protocol of AlignGemini counts two, "mean of 13" for
    UniversalFakeDetect over those that MIRROR counts), metric, value and spread (fractions; spread NaN where there is
    none), spread_of, source (URL), how, doubt ("" where none), protocol (PUBLISHED, or "own": another one, or none
    stated).
    """
    text = pd.read_csv(FILE, dtype=str, keep_default_na=False)
    return text.assign(value=text.value.astype(float), spread=pd.to_numeric(text.spread))


def as_published(
    benchmark: str, crop: int, thresholds: set[float], rule: str, protocol: Protocol | None = None
) -> bool:
    """Whether verdicts on a benchmark are made as the published ones: its subsets, their treatment (by `protocol`;
    files as they are without one), a branch's crop, every threshold and the rule; 0 and "" where a branch alone has
    no crop or rule.

    Near-constant images, which are left out there, are not asked for: few benchmarks hold any.
    """
    ours, theirs = protocol or PROTOCOLS["native"], PROTOCOLS[PUBLISHED]
    treated = all(treatment(ours, benchmark, label) == treatment(theirs, benchmark, label) for label in (0, 1))
    counted = ours.subsets.get(benchmark) == theirs.subsets.get(benchmark)
    judged = crop in (0, theirs.crop) and thresholds == {theirs.threshold} and rule in ("", theirs.rule)
    return treated and counted and judged


def marked(alignment: pd.DataFrame, compared: list[models.Model], fusion) -> pd.DataFrame:
    """A table of `tables.alignment` with the column alike: which rows are `as_published`.

    `compared` are the models that it judges, `fusion` the run of notebook 04.
    """
    how = {(each.name, each.run): ({each.crop}, {each.threshold}, "") for each in compared}
    crops = {each.params.get("crop", 0) for each in fusion.inputs.values()}
    how["fusion", ""] = crops, {each["threshold"] for each in models.members(fusion)}, fusion.results["rule"]
    alike = []
    for row in alignment.itertuples():
        crops, cuts, rule = how[row.model, row.run]
        alike.append(all(as_published(row.benchmark, crop, cuts, rule) for crop in crops))
    return alignment.assign(alike=alike)


def measured(alignment: pd.DataFrame) -> pd.DataFrame:
    """A table of `tables.alignment` with one row per metric, for `beside`: title, those of ROW, low, high, alike.

    `alike` is that of the alignment table (see `marked`); a mean over other than all of a
    benchmark's SUBSETS is not.
    Balanced accuracy keeps its intervals and its means; specificity, recall and average precision have none, and
    their means are taken over every subset that has them, those of one class too.
    """
    keys, single = ["title", "benchmark", "alike"], alignment[alignment.subset != "mean"]
    rows = single.drop(columns=["metric", "value"]).rename(columns=COLUMNS)
    rows = rows.melt([*keys, "subset"], list(COLUMNS.values()), "metric").dropna(subset="value")
    means = rows.groupby([*keys, "metric"], sort=False, as_index=False).value.mean().assign(subset="mean")
    balanced = alignment[alignment.metric == BALANCED][["title", *ROW, "low", "high", "alike"]]
    table = pd.concat([balanced, rows, means], ignore_index=True).dropna(subset="value")
    whole = [
        name
        for name, part in single.groupby("benchmark")
        if part.subset.nunique() == SUBSETS.get(name, part.subset.nunique())
    ]
    return table.assign(alike=table.alike & ((table.subset != "mean") | table.benchmark.isin(whole)))


def beside(measured: pd.DataFrame) -> pd.DataFrame:
    """Every published level of the benchmarks in `measured`, or of all if it is empty, with our value beside it.

    `measured` has the columns title, benchmark (keys as in BENCHMARKS), subset, metric, value, low, high, all
    fractions, and alike (whether protocol and threshold are those of the published numbers); each of our models is set
    beside each published row. Subsets are matched by their letters and digits, metrics by name only. Columns: title,
    benchmark, subset, metric, detector, ours, low, high, theirs, spread,
    difference (ours minus theirs, only where both are measured alike), state ("", "not run", "other metric" where we
    have measured the subset another way, or "other protocol"), how, doubt, source.
    """
    ours = _keyed(measured.dropna(subset="value").rename(columns={"value": "ours"}))
    theirs = _keyed(load().rename(columns={"value": "theirs"}))
    theirs = theirs[(theirs.metric != GAIN) & (theirs.benchmark.isin(measured.benchmark) | measured.empty)]
    columns = ["title", "benchmark", "key", "metric", "ours", "low", "high", "alike"]
    table = theirs.merge(ours[columns], on=["benchmark", "key", "metric"], how="left")
    place = ["benchmark", "key"]
    elsewhere = pd.MultiIndex.from_frame(table[place]).isin(pd.MultiIndex.from_frame(ours[place]))
    run, alike = table.ours.notna(), table.alike.eq(True) & (table.protocol == PUBLISHED)
    state = np.select([run & alike, run, elsewhere], ["", PROTOCOL, OTHER], NOT_RUN)
    table = table.assign(state=state, difference=(table.ours - table.theirs).where(alike))
    first = [*ABOUT, "ours", "low", "high", "theirs", "spread", "difference"]
    return table[[*first, "state", "how", "doubt", "source"]]


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(key=table.subset.str.casefold().str.replace(r"[^a-z0-9]", "", regex=True))


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """`beside` as people read it: percent with one decimal as published, and the state where something is lacking."""
    numbers = 100 * table[["ours", "low", "high", "theirs", "spread", "difference"]]
    text = numbers.map("{:.1f}".format)
    ours = text.ours + (" [" + text.low + ", " + text.high + "]").where(table.low.notna(), "")
    theirs = text.theirs + (" ± " + text.spread).where(table.spread.notna(), "")
    difference = numbers.difference.map("{:+.1f}".format)
    lacking = table.state.where(table.state == PROTOCOL, "-")
    columns = {
        "ours, %": ours.where(table.ours.notna(), table.state),
        "theirs, %": theirs,
        "difference": difference.where(table.difference.notna(), lacking),
    }
    return table[ABOUT].assign(**columns, how=table.how, doubt=table.doubt)
