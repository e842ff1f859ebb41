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
    "in training": ("is also in training", "are also in training"),
    "origin in training": ("has its origin in training", "have their origin in training"),
    "near training": ("looks like one in training", "look like one in training"),
}


def verdict(figures: Mapping[str, float]) -> str:
    """`usable`, or everything that speaks against a set, separated by semicolons.

    `figures` holds real and fake (numbers of usable images), groups (see groups_per_class), the counts of
    duplicates.RELATIONS and the AUROC of each of cues.NAMES.
    """
    findings = [_leaking(figures), _contradictory(figures), _confounded(figures), _repetitive(figures), _small(figures)]
    return "; ".join(filter(None, findings)) or USABLE


def bound(real: int, fake: int) -> float:
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


def _leaking(figures: Mapping[str, float]) -> str:
    counts = {relation: figures[relation] for relation in LEAKS}
    if counts["near training"] < LOOKALIKES * (figures["real"] + figures["fake"]):
        counts["near training"] = 0
    found = [_counted(count, "test picture", *LEAKS[relation]) for relation, count in counts.items() if count]
    return f"leaking: {', '.join(found)}" if found else ""


def _contradictory(figures: Mapping[str, float]) -> str:
    count = figures["two labels"]
    verbs = ("stands among the reals and among the fakes", "stand among the reals and among the fakes")
    return f"contradictory: {_counted(count, 'picture', *verbs)}" if count else ""


def _confounded(figures: Mapping[str, float]) -> str:
    aurocs = pd.Series({name: figures[name] for name in cues.NAMES}, dtype=float).dropna()
    aurocs = aurocs.sort_values(ascending=False, kind="stable")
    found = aurocs[aurocs >= bound(figures["real"], figures["fake"])] if len(aurocs) else aurocs
    cues_found = ", ".join(f"{name} ({auroc:.2f})" for name, auroc in found.items())
    return f"confounded by {cues_found}".replace("(", "(AUROC ", 1) if len(found) else ""


def _repetitive(figures: Mapping[str, float]) -> str:
    total, count = figures["real"] + figures["fake"], figures["duplicates"]
    return f"repetitive: {count} of {total} are copies" if count and count >= REPEATED * total else ""


def _small(figures: Mapping[str, float]) -> str:
    if missing := [label for label in ("real", "fake") if not figures[label]]:
        return f"one-sided: no {' and no '.join(missing)} picture"
    if not all(isnan(figures[name]) for name in cues.NAMES):
        return ""
    counts = f"{figures['real']} real, {figures['fake']} fake"
    if min(figures["real"], figures["fake"]) < LEAST:
        return f"too small to tell: {counts}"
    return f"too alike to tell: {counts}, but of one class only {figures['groups']} that differ (at least {LEAST})"


def _counted(count: int, what: str, one: str, many: str) -> str:
    return f"1 {what} {one}" if count == 1 else f"{count} {what}s {many}"
