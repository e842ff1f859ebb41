"""What the tables leave open: images without a score, small bases on foreign images, and why mixing costs something."""

import pandas as pd

from aligngemini.analysis import tables
from aligngemini.analysis.models import Model
from aligngemini.analysis.tables import spell
from aligngemini.branches import registry
from aligngemini.scores.intervals import CLAIMED

# What a mini base can do elsewhere than in the drawn world, by the supervision that its branch is made for.
MINI = {
    "semantic": "knows nothing but the drawn scenes it was pretrained on: near chance there is what to expect, and "
    "says nothing against or for the method",
    "pixel": "learned the traces of one autoencoder on a small backbone; where it is near chance, those traces are not "
    "the ones that these generators leave, or compression has removed them",
}
CAUTION = (
    "A mixed set holds fewer images of each task than a pure set of as many updates. A lower score can be dilution "
    "(too few images of the task) or interference (the tasks disturb each other); a run on the union, with all "
    "images of both, tells the two apart."
)
COUNTS = ("semantic", "pixel", "updates")
NO_LOSS = "nothing to explain, no loss is shown under mixed supervision"


def story(images: pd.DataFrame, models: list[Model], alignment: pd.DataFrame, differences: pd.DataFrame) -> str:
    """One line per sentence, from the test image table and what tables.alignment and pairs.differences give."""
    lost = alignment[(alignment.subset == "mean") & (alignment.missing > 0)]
    missing = [f"[{row.benchmark}] {row.title}: rows without a score: {row.missing}." for row in lost.itertuples()]
    return "\n".join([*missing, *limits(images, models), *cause(differences, trained(models))])


def limits(images: pd.DataFrame, models: list[Model]) -> list[str]:
    """What branches on mini bases cannot be expected to do on the test images that were not drawn."""
    foreign = images.subset[images.source != "world"].unique()
    small = dict.fromkeys(each.name for each in models if each.base.startswith("data/mini"))
    if not len(foreign) or not small:
        return []
    subsets = ", ".join(foreign) if len(foreign) <= 6 else f"{len(foreign)} subsets of files"
    kinds = [registry.kind(name) for name in small]
    said = [f"The mini {kind.title} {MINI[kind.supervision]}." for kind in kinds if kind.supervision in MINI]
    return [f"Not drawn but read from files: {subsets}.", *said]


def trained(models: list[Model]) -> pd.DataFrame:
    """Model, supervision, training images by task (semantic, pixel) and updates of each run, NA where not recorded."""
    rows = [{"model": each.name, "supervision": each.supervision} | each.trained for each in models]
    return pd.DataFrame(rows, columns=["model", "supervision", *COUNTS]).astype(dict.fromkeys(COUNTS, "Int64"))


def cause(differences: pd.DataFrame, counts: pd.DataFrame) -> list[str]:
    """For each model with a loss under mixed supervision: dilution, interference, or that the cause cannot be told.

    `counts` is what `trained` gives; runs of unequal numbers of updates tell nothing. What counts is the subset of the
    first benchmark that is made for the pure supervision, and mixed and union minus pure there:

    interference, if the union too is below pure (after Holm's correction over the table);
    dilution, if mixed is below pure, and the union is not and lies wholly above what mixed lost.
    """
    branches = differences[differences.model != "fusion"].groupby("model", sort=False)
    words = {name: _judgement(rows, counts[counts.model == name]) for name, rows in branches}
    return [CAUTION, *(f"{registry.title(name)}: {text}." for name, text in words.items())]


def _judgement(rows: pd.DataFrame, counts: pd.DataFrame) -> str:
    own = tables.first(rows)
    own = own[own["axis"] == own.pure_supervision]
    if own.empty:
        return "the cause cannot be told, no test subset holds fakes of its own kind alone"
    gains = own.drop_duplicates("other_supervision").set_index("other_supervision")
    lower = (gains.difference < 0) & (gains.p_holm <= CLAIMED)
    lacking = [name for name in ("mixed", "union") if name not in gains.index]
    if lacking:
        advice = f"the cause cannot be told without a run on {' and '.join(lacking)} supervision"
        return advice if lower.get("mixed", True) else NO_LOSS
    updates = counts.updates[counts.supervision.isin([own.pure_supervision.iloc[0], "mixed"])].dropna()
    if updates.nunique() > 1:
        return f"the cause cannot be told, its pure and mixed runs had {' and '.join(map(str, updates))} updates"
    texts = [f"{name} {spell(row.difference, row.low, row.high, sign=True)}" for name, row in gains.iterrows()]
    return f"{_word(gains, lower)} (minus pure on {gains.subset['mixed']}: {', '.join(texts)})"


def _word(gains: pd.DataFrame, lower: pd.Series) -> str:
    if lower["union"]:
        return "interference, with all images of its task it is still below pure supervision"
    if not lower["mixed"]:
        return NO_LOSS
    if gains.low["union"] > gains.difference["mixed"]:
        return "dilution, with all images of its task the loss is gone"
    return "the cause cannot be told, the interval of the union covers both no loss and the whole loss"
