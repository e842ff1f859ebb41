"""Two detectors on the same pictures: paired differences by subset, model and protocol."""

import pandas as pd

from aligngemini.analysis import pairs, tables
from aligngemini.core.seeds import generator

OURS, THEIRS = "this run", "the other run"
TOLD = ["protocol", "model", "subset"]


def differences(ours: pd.DataFrame, theirs: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95):
    """This run minus the other one, from Bench.verdicts of either, on the pictures that both judged.

    One row for each protocol, model and subset: n, difference of balanced accuracy with low and high, only_this and
    only_other (pictures that one alone has right), p (of no difference, from the interval), p_holm (Holm's correction
    over the whole table), and auroc_difference with auroc_low and auroc_high.
    """
    rows = []
    for (protocol, model), mine in ours.groupby(["supervision", "model"], sort=False):
        other = theirs[(theirs["supervision"] == protocol) & (theirs["model"] == model)]
        both = pairs.side_by_side(pd.concat([other.assign(title=THEIRS), mine.assign(title=OURS)]), THEIRS, OURS)
        for subset, part in both.groupby("subset", sort=False):
            rng = generator("against", protocol, model, subset)
            told = dict(zip(TOLD, (protocol, model, subset), strict=True))
            rows.append(told | pairs.tested(part, rng, resamples, confidence))
    table = pd.DataFrame(rows, columns=[*TOLD, *pairs.MEASURED, *pairs.RANKED])
    return pairs.corrected(table).rename(columns={"only_other": "only_this", "only_pure": "only_other"})


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """`differences` as people read it, without the differences of AUROC."""
    told = table[TOLD].assign(n=table["n"])
    told["difference"] = [tables.spell(r.difference, r.low, r.high, sign=True) for r in table.itertuples()]
    return told.assign(**{name: table[name] for name in ("only_this", "only_other")}, p=table["p_holm"].round(4))
