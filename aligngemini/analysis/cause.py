"""Why mixed supervision costs something: fewer images of the task, or tasks that disturb each other."""

import pandas as pd

from aligngemini.analysis.models import Model
from aligngemini.analysis.tables import spell
from aligngemini.branches.registry import title
from aligngemini.scores.intervals import CLAIMED

CAUTION = (
    "A mixed set holds fewer pictures of each task than a pure set of as many updates. A lower score can be dilution "
    "(too few pictures of the task) or interference (the tasks disturb each other); a run on the union, with all "
    "pictures of both, tells the two apart."
)
COUNTS = ("semantic", "pixel", "updates")
NO_LOSS = "nothing to explain, no loss is shown under mixed supervision"


def trained(models: list[Model]) -> pd.DataFrame:
    """What each model learned from: model, supervision, training images by task (semantic, pixel) and updates, as
    its run recorded them (NaN where it did not)."""
    rows = [{"model": each.name, "supervision": each.supervision} | each.trained for each in models]
    return pd.DataFrame(rows, columns=["model", "supervision", *COUNTS]).astype(dict.fromkeys(COUNTS, "Int64"))


def cause(differences: pd.DataFrame, counts: pd.DataFrame | None = None) -> str:
    """For each model what it learned from, and a line: dilution, interference, or that the cause cannot be told; before
    them why one may ask.

    `differences` is what pairs.differences gives, `counts` what `trained` gives. What counts is the subset of the first
    benchmark that is made for the pure supervision, and mixed and union minus pure there:

    interference, if the union too is below pure (after Holm's correction over the table);
    dilution, if mixed is below pure, and the union is not and lies wholly above what mixed lost.

    Runs of other numbers of updates under mixed and pure supervision tell nothing.
    """
    lines = [CAUTION]
    for name, rows in differences[differences.model != "fusion"].groupby("model", sort=False):
        own = pd.DataFrame(columns=["updates"]) if counts is None else counts[counts.model == name]
        if len(own) and own[list(COUNTS)].notna().all(axis=None):
            runs = [f"{row.supervision}: {_images(row)}, {row.updates:,} updates" for row in own.itertuples()]
            lines.append(f"{title(name)} learned from: {'; '.join(runs)}.")
        lines.append(f"{title(name)}: {_judgement(rows, own)}.")
    return "\n".join(lines)


def _images(row) -> str:
    """'1,200 pictures of meaning and 1,200 of pixels', or those of one task alone."""
    if row.semantic and row.pixel:
        return f"{row.semantic:,} pictures of meaning and {row.pixel:,} of pixels"
    task = "meaning" if row.semantic else "pixels"
    return f"{row.semantic + row.pixel:,} pictures of {task}" if row.semantic + row.pixel else "nothing"


def _judgement(rows: pd.DataFrame, counts: pd.DataFrame) -> str:
    own = rows[(rows.benchmark == rows.benchmark.iloc[0]) & (rows["axis"] == rows.pure_supervision)]
    if own.empty:
        return "the cause cannot be told, no test subset holds fakes of its own kind alone"
    gains = own.drop_duplicates("other_supervision").set_index("other_supervision")
    lower = (gains.difference < 0) & (gains.p_holm <= CLAIMED)
    lacking = [name for name in ("mixed", "union") if name not in gains.index]
    if lacking and not lower.get("mixed", True):
        return NO_LOSS
    if lacking:
        return f"the cause cannot be told without a run on {' and '.join(lacking)} supervision"
    updates = counts.updates[counts.supervision.isin([own.pure_supervision.iloc[0], "mixed"])] if len(counts) else ()
    if len(set(updates)) > 1:
        return f"the cause cannot be told, its pure and mixed runs had {' and '.join(map(str, updates))} updates"
    texts = [f"{name} {spell(row.difference, row.low, row.high, sign=True)}" for name, row in gains.iterrows()]
    return f"{_word(gains, lower)} (minus pure on {gains.subset['mixed']}: {', '.join(texts)})"


def _word(gains: pd.DataFrame, lower: pd.Series) -> str:
    if lower["union"]:
        return "interference, with all pictures of its task it is still below pure supervision"
    if not lower["mixed"]:
        return NO_LOSS
    if gains.low["union"] > gains.difference["mixed"]:
        return "dilution, with all pictures of its task the loss is gone"
    return "the cause cannot be told, the interval of the union covers both no loss and the whole loss"
