"""Why mixed supervision costs something: fewer pictures of the task, or tasks that disturb each other."""

import pandas as pd

from aligngemini.analysis.tables import NAMES, spell

CAUTION = (
    "At equal totals the mixed set holds half as many pictures of each task as a pure set. A lower score can be "
    "dilution (too few pictures of the task) or interference (the tasks disturb each other); a run on the union, with "
    "all pictures of both, tells the two apart."
)


def cause(differences: pd.DataFrame) -> str:
    """One line per model: dilution, interference, or that it cannot be told; and before them why one may ask.

    `differences` is what pairs.differences gives. What counts is the subset of the first benchmark that is made for
    the pure supervision, and the intervals of mixed and of union minus pure there:

    interference, if the union too is below pure (its interval excludes zero);
    dilution, if mixed is below pure, and the union is not and lies wholly above what mixed lost.
    """
    models = differences.groupby("model", sort=False) if len(differences) else ()
    return "\n".join([CAUTION, *(f"{NAMES[name]}: {_judgement(rows)}" for name, rows in models)])


def _judgement(rows: pd.DataFrame) -> str:
    own = rows[(rows.benchmark == rows.benchmark.iloc[0]) & (rows["axis"] == rows.pure_supervision)]
    found = own.drop_duplicates("other_supervision").set_index("other_supervision")
    lacking = [name for name in ("mixed", "union") if name not in found.index]
    if own.empty:
        return "it cannot be told, no test subset holds fakes of its own kind alone."
    if lacking:
        return f"it cannot be told without a run on {' and '.join(lacking)} supervision."
    mixed, union = found.loc["mixed"], found.loc["union"]
    told = ", ".join(f"{name} {spell(row.difference, row.low, row.high, sign=True)}" for name, row in found.iterrows())
    return f"{_word(mixed, union)} (minus pure on {mixed.subset}: {told})."


def _word(mixed: pd.Series, union: pd.Series) -> str:
    if union.high < 0:
        return "interference, with all pictures of its task it is still below pure supervision"
    if mixed.high < 0 and union.low > mixed.difference:
        return "dilution, with all pictures of its task the loss is gone"
    if mixed.high >= 0:
        return "nothing to explain, no loss is shown under mixed supervision"
    return "it cannot be told, the interval of the union covers both no loss and the whole loss"
