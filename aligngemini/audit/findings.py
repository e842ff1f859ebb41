"""The verdict on a set in words, and the thresholds behind it, which are our choice."""

from collections.abc import Mapping
from math import isnan, sqrt

import pandas as pd

from ..scores.cv_auroc import LEAST
from . import cues

CONFOUNDED = 0.65  # AUROC of a single cue from which on it counts, in a large set
ERRORS = 3  # ... and so many standard errors of a cue that says nothing, in a small one
LOOKALIKES = 0.005  # share of pictures that only look like one in training from which on a set leaks
REPEATED = 0.01  # share of pictures that are copies of others from which on a set repeats itself
USABLE = "usable"


def sentence(figures: Mapping[str, float]) -> str:
    """`usable`, or everything that speaks against a set, parted by semicolons.

    `figures` holds real and fake (numbers of usable pictures), groups (see groups_per_class), the counts of
    duplicates.RELATIONS and the AUROC of each of cues.NAMES.
    """
    said = [_leaking(figures), _twofold(figures), _confounded(figures), _repeated(figures), _small(figures)]
    return "; ".join(text for text in said if text) or USABLE


def bound(real: int, fake: int) -> float:
    """The AUROC from which on a cue gives away the class in a set of `real` and `fake` pictures, 1 or more each."""
    return max(CONFOUNDED, 0.5 + ERRORS * sqrt((real + fake + 1) / (12 * real * fake)))


def confounds(figures: Mapping[str, float]) -> dict[str, float]:
    """The cues that give away the class, the strongest first."""
    told = {name: figures[name] for name in cues.NAMES if not isnan(figures[name])}
    least = bound(figures["real"], figures["fake"]) if told else 1.0
    return dict(sorted(((n, area) for n, area in told.items() if area >= least), key=lambda item: -item[1]))


def by_subset(measured: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The cues of data_run.measure for the subsets of the test table `rows`: one row each, a column for each cue,
    and which of them are past `bound`.
    """
    tests = measured[measured["set"].str.startswith("test/")].pivot(index="set", columns="cue", values="auroc")
    sides = rows[rows["reason"] == ""].groupby(["subset", "label"]).size().unstack()
    sides = sides.reindex(columns=[0, 1]).fillna(1)  # a class that is not there has no AUROC to bound
    least = [bound(*sides.loc[name.removeprefix("test/")]) for name in tests.index]
    told = [", ".join(tests.columns[row]) for row in tests.ge(least, axis=0).to_numpy()]
    return tests.round(3).assign(told_by=told)


def _confounded(figures: Mapping[str, float]) -> str:
    found = [f"{name} ({area:.2f})" for name, area in confounds(figures).items()]
    return f"confounded by {', '.join(found).replace('(', '(AUROC ', 1)}" if found else ""


def _leaking(figures: Mapping[str, float]) -> str:
    often = figures["near training"] >= LOOKALIKES * max(1, figures["real"] + figures["fake"])
    said = {
        ("is also in training", "are also in training"): figures["in training"],
        ("has its origin in training", "have their origin in training"): figures["origin in training"],
        ("looks like one in training", "look like one in training"): figures["near training"] if often else 0,
    }
    found = [_counted(count, "test picture", *verbs) for verbs, count in said.items() if count]
    return f"leaking: {', '.join(found)}" if found else ""


def _twofold(figures: Mapping[str, float]) -> str:
    count = figures["two labels"]
    verbs = ("stands among the reals and among the fakes", "stand among the reals and among the fakes")
    return f"contradictory: {_counted(count, 'picture', *verbs)}" if count else ""


def _repeated(figures: Mapping[str, float]) -> str:
    every = figures["real"] + figures["fake"]
    count = figures["duplicates"]
    return f"repetitive: {count} of {every} are copies" if count and count >= REPEATED * every else ""


def _small(figures: Mapping[str, float]) -> str:
    if not figures["real"] or not figures["fake"]:
        lacking = [what for what in ("real", "fake") if not figures[what]]
        return f"one-sided: no {' and no '.join(lacking)} picture"
    if not all(isnan(figures[name]) for name in cues.NAMES):
        return ""
    counts = f"{figures['real']} real, {figures['fake']} fake"
    if min(figures["real"], figures["fake"]) < LEAST:
        return f"too small to tell: {counts}"
    return f"too alike to tell: {counts}, but of one class only {figures['groups']} that differ (at least {LEAST})"


def _counted(count: int, what: str, one: str, many: str) -> str:
    return f"1 {what} {one}" if count == 1 else f"{count} {what}s {many}"
