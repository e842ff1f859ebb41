"""Why mixed supervision costs something: fewer pictures of the task, or tasks that disturb each other."""

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


def trained(models: list[Model]) -> pd.DataFrame:
    """What each model learned from: model, supervision, training pictures by task (semantic, pixel) and updates, as
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
    models = differences.groupby("model", sort=False) if len(differences) else ()
    lines = [CAUTION]
    for name, rows in models:
        if name != "fusion":
            known = pd.DataFrame(columns=["model"]) if counts is None else counts[counts.model == name]
            lines += [*_told(title(name), known), f"{title(name)}: {_judgement(rows, known)}"]
    return "\n".join(lines)


def _told(name: str, counts: pd.DataFrame) -> list[str]:
    """One line with the pictures and updates of each run of a model, if all are known."""
    if counts.empty or counts[list(COUNTS)].isna().any(axis=None):
        return []
    runs = [
        f"{row.supervision}: {_pictures(row.semantic, row.pixel)}, {row.updates:,} updates"
        for row in counts.itertuples()
    ]
    return [f"{name} learned from: {'; '.join(runs)}."]


def _pictures(semantic: int, pixel: int) -> str:
    """'1,200 pictures of meaning and 1,200 of pixels', or those of one task alone."""
    some = [f"{count:,} {{}}of {task}" for count, task in ((semantic, "meaning"), (pixel, "pixels")) if count]
    return " and ".join([some[0].format("pictures "), *(text.format("") for text in some[1:])]) if some else "nothing"


def _judgement(rows: pd.DataFrame, counts: pd.DataFrame) -> str:
    own = rows[(rows.benchmark == rows.benchmark.iloc[0]) & (rows["axis"] == rows.pure_supervision)]
    found = own.drop_duplicates("other_supervision").set_index("other_supervision")
    lacking = [name for name in ("mixed", "union") if name not in found.index]
    if own.empty:
        return "the cause cannot be told, no test subset holds fakes of its own kind alone."
    if "mixed" in found.index and not _lower(found.loc["mixed"]) and lacking:
        return "nothing to explain, no loss is shown under mixed supervision."
    if lacking:
        return f"the cause cannot be told without a run on {' and '.join(lacking)} supervision."
    updates = [] if counts.empty else counts[counts.supervision.isin([own.pure_supervision.iloc[0], "mixed"])].updates
    if len(set(updates)) > 1:
        return f"the cause cannot be told, its pure and mixed runs had {' and '.join(map(str, updates))} updates."
    mixed, union = found.loc["mixed"], found.loc["union"]
    told = ", ".join(f"{name} {spell(row.difference, row.low, row.high, sign=True)}" for name, row in found.iterrows())
    return f"{_word(mixed, union)} (minus pure on {mixed.subset}: {told})."


def _word(mixed: pd.Series, union: pd.Series) -> str:
    if _lower(union):
        return "interference, with all pictures of its task it is still below pure supervision"
    if not _lower(mixed):
        return "nothing to explain, no loss is shown under mixed supervision"
    if union.low > mixed.difference:
        return "dilution, with all pictures of its task the loss is gone"
    return "the cause cannot be told, the interval of the union covers both no loss and the whole loss"


def _lower(row: pd.Series) -> bool:
    return row.difference < 0 and row.p_holm <= CLAIMED
