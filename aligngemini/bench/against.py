"""Two detectors on the same pictures: paired differences by subset, model and protocol."""

import numpy as np
import pandas as pd

from ..analysis import pairs
from ..scores import intervals

OURS, THEIRS = "this run", "the other run"
TOLD = ["protocol", "model", "subset"]


def differences(ours: pd.DataFrame, theirs: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95):
    """This run minus the other one, from judge.verdicts of either, on the pictures that both judged.

    One row for each protocol, model and subset: n, difference of balanced accuracy with low and high, only_this and
    only_other (pictures that one alone has right), p (exact McNemar), p_holm (Holm's correction over the subsets of a
    protocol and model), and auroc_difference with auroc_low and auroc_high.
    """
    rows = []
    for (protocol, model), mine in ours.groupby(["supervision", "model"], sort=False):
        other = theirs[(theirs["supervision"] == protocol) & (theirs["model"] == model)]
        both = pairs.side_by_side(pd.concat([other.assign(title=THEIRS), mine.assign(title=OURS)]), THEIRS, OURS)
        for subset, part in both.groupby("subset", sort=False):
            rng = np.random.default_rng([0, len(rows)])
            told = dict(zip(TOLD, (protocol, model, subset), strict=True))
            rows.append(told | pairs.tested(part, rng, resamples, confidence))
    table = pd.DataFrame(rows, columns=[*TOLD, *pairs.MEASURED, *pairs.RANKED])
    corrected = table.groupby(["protocol", "model"])["p"].transform(intervals.holm)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", corrected)
    return table.rename(columns={"only_other": "only_this", "only_pure": "only_other"})


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """`differences` as people read it, without the differences of AUROC."""
    told = table[TOLD].assign(n=table["n"])
    told["difference"] = [f"{r.difference:+.2f} [{r.low:+.2f}, {r.high:+.2f}]" for r in table.itertuples()]
    return told.assign(**{name: table[name] for name in ("only_this", "only_other")}, p=table["p_holm"].round(4))
