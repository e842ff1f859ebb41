"""Short sentences made from the numbers; they say nothing that the numbers do not show."""

import numpy as np
import pandas as pd

from aligngemini.analysis import pairs
from aligngemini.analysis.answers import NARROW
from aligngemini.analysis.models import Model
from aligngemini.analysis.tables import spell
from aligngemini.branches import registry
from aligngemini.scores.intervals import CLAIMED, holm
from aligngemini.scores.metrics import BALANCED

# What a mini base can do elsewhere than in the drawn world, by the supervision that its branch is made for.
MINI = {
    "semantic": "knows the drawn scenes it was pretrained on and nothing else, so it cannot read these pictures: near "
    "chance there is what to expect, and says nothing against or for the method",
    "pixel": "learned the traces of one autoencoder on a small backbone; where it is near chance, those traces are not "
    "the ones that these generators leave, or compression has removed them",
}
PAIRED = ["model", "pure", "other", "benchmark", "subset", "difference", "low", "high", "p"]


def story(alignment: pd.DataFrame, differences: pd.DataFrame | None = None) -> str:
    """A few lines on each benchmark of the alignment table; with the paired differences also on other supervision.

    A value is called near chance where its interval covers 0.5 and is NARROW. It is called below chance, and a
    difference one, only where that holds after Holm's correction over all such claims of the story (5 % for even one
    false). One line per sentence; with several benchmarks each line says of which it speaks, and of those after the
    first only what differs and what fusion does: the table holds the rest.
    """
    paired = pd.DataFrame(columns=PAIRED) if differences is None else differences
    below = (alignment.subset != "mean") & (alignment.metric == BALANCED)
    tested = alignment.get("p_chance", pd.Series(np.nan, alignment.index))  # a run of an older version has none
    levels = tested.mask(alignment.value >= 0.5, 1.0).where(below)
    sure = holm([*levels, *paired.p]) <= CLAIMED
    alignment, paired = alignment.assign(sure=sure[: len(levels)]), paired.assign(sure=sure[len(levels) :])
    lines = []
    for place, (name, rows) in enumerate(alignment.groupby("benchmark", sort=False)):
        where = f"[{name}] " if alignment.benchmark.nunique() > 1 else ""
        lines += [where + line for line in _benchmark(rows, paired[paired.benchmark == name], brief=place > 0) if line]
    return "\n".join(lines)


def _benchmark(alignment: pd.DataFrame, differences: pd.DataFrame, brief: bool) -> list[str]:
    """The lines on one benchmark; "" where there is nothing to say."""
    models = [] if brief else alignment.groupby("title", sort=False)
    lines = [_levels(title, rows) for title, rows in models]
    couples = differences[differences.model != "fusion"].groupby(["pure", "other"], sort=False)
    lines += [_change(pure, other, rows, brief) for (pure, other), rows in couples]
    means = alignment[alignment.subset == "mean"]
    lines += [_fused(row, means, differences) for row in means[means.model == "fusion"].itertuples()]
    missing = means[means.missing > 0]
    return lines + [
        f"{row.title}: rows without a score, judged nowhere: {row.missing}." for row in missing.itertuples()
    ]


def _levels(title: str, rows: pd.DataFrame) -> str:
    """Where one model stands on each subset; on many subsets its range, and on how many it is near chance."""
    rows = rows[(rows.subset != "mean") & rows.value.notna()]
    if len(rows) <= 6:
        return f"{title}: {', '.join(map(_level, rows.itertuples()))}." if len(rows) else ""
    both = rows[rows.metric == BALANCED]
    if both.empty:
        return ""
    chance = int(((both.low <= 0.5) & (both.high >= 0.5)).sum())
    worst, best = both.loc[both.value.idxmin()], both.loc[both.value.idxmax()]
    ends = f"from {worst.value:.2f} on {worst.subset} to {best.value:.2f} on {best.subset}"
    return f"{title}: {ends}; near chance on {chance} of {len(both)} subsets."


def _level(row) -> str:
    """One value in words."""
    number = spell(row.value, row.low, row.high)
    if row.metric != BALANCED:
        return f"{row.metric} {number} on {row.subset}"
    if row.low <= 0.5 <= row.high:
        words = "near chance" if row.high - row.low <= NARROW else "not shown to differ from chance"
        return f"{words} on {row.subset} ({number})"
    return f"{number} on {row.subset}" + (", below chance" if row.sure else "")


def _change(pure: str, other: str, rows: pd.DataFrame, brief: bool) -> str:
    """What the other supervision changed, subset by subset; if `brief` only what it did change."""
    signs = {"lower": rows.difference < 0, "higher": rows.difference > 0}
    sure = {word: rows[rows.sure & sign] for word, sign in signs.items()}
    parts = [f"{word} on {_gains(part)}, also when all claims are counted" for word, part in sure.items() if len(part)]
    unclear = rows[~rows.sure.astype(bool)]
    if len(unclear) and not brief:
        parts.append(f"no difference shown on {_gains(unclear)}")
    return f"{other} against {pure}, on the same pictures: {'; '.join(parts)}." if parts else ""


def _gains(rows: pd.DataFrame) -> str:
    """'pixel (-0.04 [-0.09, +0.01]), both (...)'."""
    return ", ".join(
        f"{row.subset} ({spell(row.difference, row.low, row.high, sign=True)})" for row in rows.itertuples()
    )


def _fused(own, means: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Fusion's mean beside that of its pure branches, what it is on the same images, and what it does to reals."""
    branches = means[pairs.pure(means) & means.value.notna()].drop_duplicates("model")
    if np.isnan(own.value) or branches.empty:
        return ""
    best, word = branches.loc[branches.value.idxmax()], "better" if len(branches) < 3 else "best"
    gain = ""
    for row in differences[(differences.other == own.title) & (differences.pure == best.title)].head(1).itertuples():
        claim = ("lower" if row.difference < 0 else "higher") if row.sure else "no difference shown"
        gain = f"; on the same pictures {claim} ({spell(row.difference, row.low, row.high, sign=True)})"
    alarms = ", ".join(f"{1 - row.real_accuracy:.2f} ({row.title})" for row in branches.itertuples())
    return (
        f"{own.title} reaches a mean of {spell(own.value, own.low, own.high)}; the {word} single branch, "
        f"{best.title}, {spell(best.value, best.low, best.high)}{gain}. "
        f"It calls {1 - own.real_accuracy:.2f} of the reals fake, against {alarms}."
    )


def limits(images: pd.DataFrame, models: list[Model]) -> str:
    """What branches on mini bases cannot be expected to do on the test images that were not drawn; "" if that does not
    arise. `images` is the test image table.
    """
    foreign = images.subset[images.source != "world"].unique()
    small = dict.fromkeys(each.name for each in models if each.base.startswith("data/mini"))
    if not len(foreign) or not small:
        return ""
    subsets = ", ".join(foreign) if len(foreign) <= 6 else f"{len(foreign)} subsets of files"
    kinds = [registry.kind(name) for name in small]
    said = [f"The mini {kind.title} {MINI[kind.supervision]}." for kind in kinds if kind.supervision in MINI]
    return "\n".join([f"Not drawn but read from files: {subsets}.", *said])
