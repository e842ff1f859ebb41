"""What speaks against a set, in words, and the thresholds behind it, which are our choice."""

from collections.abc import Mapping
from math import isnan, sqrt

import pandas as pd

from aligngemini.scores.cv_auroc import LEAST

from . import cues

CONFOUNDED = 0.65  # AUROC of a single cue from which on it counts, in a large set
ERRORS = 3  # ... and so many standard errors of a cue that says nothing, in a small one
LOOKALIKES = 0.005  # share of images that only look like one in training from which on a set leaks
REPEATED = 0.01  # share of images that are copies of others from which on a set repeats itself
USABLE = "usable"
LEAKS = {
    "in training": "also in training",
    "origin in training": "of an origin in training",
    "near training": "like one in training",
}


def verdict(figures: Mapping[str, float]) -> str:
    """`usable`, or everything that speaks against a set, separated by semicolons.

    `figures` holds real and fake (numbers of usable images), groups (see groups_per_class), the counts of
    duplicates.RELATIONS and the AUROC of each of cues.NAMES.
    """
    total, copies = figures["real"] + figures["fake"], figures["duplicates"]
    least = {"near training": LOOKALIKES * total}
    leaks = [(figures[name], words) for name, words in LEAKS.items() if figures[name] >= least.get(name, 0)]
    leaks = ", ".join(_counted(count, "test picture", words) for count, words in leaks if count)
    twice = _counted(figures["two labels"], "picture", "among the reals and among the fakes")
    findings = {
        f"leaking: {leaks}": leaks,
        f"contradictory: {twice}": figures["two labels"],
        f"confounded by {_confounds(figures)}": _confounds(figures),
        f"repetitive: {copies} of {total} are copies": copies and copies >= REPEATED * total,
        _too_small(figures): _too_small(figures),
    }
    return "; ".join(finding for finding, counts in findings.items() if counts) or USABLE


def bound(real: float, fake: float) -> float:
    """The AUROC from which on a cue gives away the class in a set of `real` and `fake` images, 1 or more each."""
    return max(CONFOUNDED, 0.5 + ERRORS * sqrt((real + fake + 1) / (12 * real * fake)))


def by_subset(measured: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The cues of data_run.measure for the subsets of the test table `rows`: one row each, a column for each cue, and
    which of them are past `bound`.
    """
    tests = measured[measured["set"].str.startswith("test/")].pivot(index="set", columns="cue", values="auroc")
    sides = rows[rows["reason"] == ""].groupby(["subset", "label"]).size().unstack()
    sides = sides.reindex(columns=[0, 1]).fillna(1)  # a class that is not there has no AUROC to bound
    bounds = [bound(*sides.loc[name.removeprefix("test/")]) for name in tests.index]
    past = [", ".join(tests.columns[row]) for row in tests.ge(bounds, axis=0).to_numpy()]
    return tests.round(3).assign(told_by=past)


def _confounds(figures: Mapping[str, float]) -> str:
    """The cues past `bound`, the strongest first."""
    aurocs = {name: figures[name] for name in cues.NAMES if not isnan(figures[name])}
    least = bound(figures["real"], figures["fake"]) if aurocs else 0
    strongest = sorted(aurocs.items(), key=lambda cue: cue[1], reverse=True)
    return ", ".join(f"{name} (AUROC {auroc:.2f})" for name, auroc in strongest if auroc >= least)


def _too_small(figures: Mapping[str, float]) -> str:
    if missing := [label for label in ("real", "fake") if not figures[label]]:
        return f"one-sided: no {' and no '.join(missing)} picture"
    if not all(isnan(figures[name]) for name in cues.NAMES):
        return ""
    counts = f"{figures['real']} real, {figures['fake']} fake"
    if min(figures["real"], figures["fake"]) < LEAST:
        return f"too small to tell: {counts}"
    return f"too alike to tell: {counts}, but of one class only {figures['groups']} that differ (at least {LEAST})"


def _counted(count: float, what: str, words: str) -> str:
    return f"1 {what} is {words}" if count == 1 else f"{count} {what}s are {words}"
