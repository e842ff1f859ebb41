"""What others have published, as data, and our measurements beside it.

Every value is the named source's, none is ours, all as fractions in [0, 1]. A spread is over what `spread_of` says,
never over repeated runs. Rows with a `doubt` may not be what their header says. Numbers without a public address are
left out, and so are ablations, which come from another version of their paper.
"""

from pathlib import Path

import pandas as pd

from aligngemini.scores.metrics import BALANCED, RECALL, SPECIFICITY
from aligngemini.workbook.params import Refused

FILE = Path(__file__).with_name("published.csv")
BENCHMARKS = (
    "genimage",
    "drct_2m",
    "bfree_online",
    "wildrf",
    "aigibench",
    "chameleon",
    "cospy_bench",
    "cospy_wild",
    "aigi_now",
    "aigcdetect",
    "forensynths",
    "synthbuster",
    "synthwildx",
    "evalgen",
    "dda_coco",
    "x_aigd",
)
GROUPS = {
    "in_the_wild_5": "mean of BFree-Online, WildRF, Chameleon, AIGIBench (CommunityAI, SocialRF), CO-SPY in the wild",
    "in_the_wild_4": "mean of Chameleon, WildRF, SocialRF and CommunityAI",
    "average_of_11": "the eleven benchmarks of https://github.com/roy-ch/Dual-Data-Alignment",
    "vae_reconstruction": "fakes that are reconstructions, by autoencoder; no reals",
    "universalfakedetect": "the UniversalFakeDetect protocol, trained on ProGAN",
}
PRECISION, GAIN = "average precision", "gain over the previous best"
COLUMNS = {"real_accuracy": SPECIFICITY, "fake_accuracy": RECALL, "ap": PRECISION}
ROW = ["benchmark", "subset", "metric", "value"]
NOT_RUN, OTHER = "not run", "other metric"


def load() -> pd.DataFrame:
    """Every published row.

    Columns: detector, benchmark (one of BENCHMARKS or GROUPS), subset ("mean" for the mean of a data set, "mean of 25"
    for AIGIBench over all its sub-sets, of which the protocol of AlignGemini counts two), metric, value and spread
    (fractions; spread NaN where there is none), spread_of, source (URL), how, doubt ("" where none).
    """
    text = pd.read_csv(FILE, dtype=str, keep_default_na=False)
    return text.assign(value=text.value.astype(float), spread=pd.to_numeric(text.spread))


def of(benchmark: str) -> pd.DataFrame:
    """The rows of `load` for one benchmark; none where nothing is known. Raises Refused for an unknown name."""
    known = [*BENCHMARKS, *GROUPS]
    if benchmark not in known:
        raise Refused(f"There is no benchmark {benchmark!r}; choose one of {', '.join(known)}.")
    table = load()
    return table[table.benchmark == benchmark].reset_index(drop=True)


def measured(alignment: pd.DataFrame) -> pd.DataFrame:
    """A table of `tables.alignment` with one row per metric, for `beside`; columns title, those of ROW, low, high.

    Balanced accuracy keeps its intervals and its means; specificity, recall and average precision have none, and
    their means are taken over every subset that has them, those of one class too.
    """
    whole = alignment[alignment.metric == BALANCED][["title", *ROW, "low", "high"]]
    parts = [whole]
    for column, metric in COLUMNS.items():
        rows = alignment[alignment.subset != "mean"].assign(metric=metric, value=lambda table, of=column: table[of])
        rows = rows[["title", *ROW]].dropna(subset="value")
        means = rows.groupby(["title", "benchmark"], sort=False, as_index=False).value.mean()
        parts += [rows, means.assign(subset="mean", metric=metric)]
    return pd.concat(parts, ignore_index=True).dropna(subset="value")


def beside(measured: pd.DataFrame) -> pd.DataFrame:
    """Every published level of the benchmarks in `measured`, or of all if it is empty, with our value beside it.

    `measured` has the columns benchmark (keys as in BENCHMARKS), subset, metric, value, low, high, all fractions; with
    a column title, each of our models is set beside each published row. Subsets are matched by their letters and
    digits, metrics by name only. Columns: title (if given), benchmark, subset, metric, detector, ours, low, high,
    theirs, spread, difference (ours minus theirs), state ("", "not run", or "other metric" where we have measured the
    subset another way), how, doubt, source. Raises Refused if a column is missing or a value is no fraction.
    """
    lacking = [name for name in (*ROW, "low", "high") if name not in measured]
    if lacking:
        raise Refused(f"A measured table needs the columns {', '.join(lacking)}.")
    if not measured.value.dropna().between(0, 1).all():
        raise Refused("Measured values are fractions between 0 and 1; divide percent by 100.")
    theirs = load().rename(columns={"value": "theirs"})
    theirs = theirs[theirs.metric != GAIN]
    if len(measured):
        theirs = theirs[theirs.benchmark.isin(measured.benchmark)]
    return _joined(_keyed(theirs), _keyed(measured.dropna(subset="value")))


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """With the letters and digits of its subset's name."""
    return table.assign(key=table.subset.str.casefold().str.replace(r"[^a-z0-9]", "", regex=True))


def _joined(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """The rows of `beside`."""
    title = ["title"] if "title" in ours else []
    values = ours[[*title, "benchmark", "key", "metric", "value", "low", "high"]].rename(columns={"value": "ours"})
    table = theirs.merge(values, on=["benchmark", "key", "metric"], how="left")
    places = pd.MultiIndex.from_frame(ours[["benchmark", "key"]])
    other = pd.MultiIndex.from_frame(table[["benchmark", "key"]]).isin(places)
    table["state"] = pd.Series(other).map({True: OTHER, False: NOT_RUN}).where(table.ours.isna(), "")
    table["difference"] = table.ours - table.theirs
    first = ["benchmark", "subset", "metric", "detector", "ours", "low", "high", "theirs", "spread", "difference"]
    return table[[*title, *first, "state", "how", "doubt", "source"]]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """`beside` as people read it: percent with one decimal as published, the state where we have no value."""
    told = [name for name in ("title", "benchmark", "subset", "metric", "detector") if name in table]
    text = {
        "ours, %": [
            row.state or _percent(row.ours, " [{:.1f}, {:.1f}]", row.low, row.high) for row in table.itertuples()
        ],
        "theirs, %": [_percent(row.theirs, " ± {:.1f}", row.spread) for row in table.itertuples()],
        "difference": ["-" if pd.isna(value) else f"{100 * value:+.1f}" for value in table.difference],
    }
    return table[told].assign(**text, how=table.how, doubt=table.doubt)


def _percent(value: float, form: str, *more: float) -> str:
    """'97.2 ± 4.2'; what is added in `form` only if it is known."""
    return f"{100 * value:.1f}" + ("" if pd.isna(more[0]) else form.format(*(100 * each for each in more)))
