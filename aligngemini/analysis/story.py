"""Short sentences made from the numbers; they say nothing that the numbers do not show."""

import numpy as np
import pandas as pd

from aligngemini.analysis import pairs
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
NARROW = 0.2  # width of an interval around one half up to which a value is called near chance; our choice


def story(alignment: pd.DataFrame, differences: pd.DataFrame | None = None) -> str:
    """A few lines on each benchmark of the alignment table; with the paired differences also on other supervision.

    A value is called near chance where its interval covers 0.5 and is NARROW. It is called below chance, and a
    difference one, only where that holds after Holm's correction over all such claims of the story (5 % for even one
    false). One line per sentence; with several benchmarks each line says of which it speaks, and of those after the
    first only what differs and what fusion does: the table holds the rest.
    """
    lines = []
    alignment, differences = _claims(alignment, differences)
    for place, (name, rows) in enumerate(alignment.groupby("benchmark", sort=False)):
        paired = None if differences is None else differences[differences.benchmark == name]
        where = f"[{name}] " if alignment.benchmark.nunique() > 1 else ""
        lines += [where + line for line in _benchmark(rows, paired, brief=place > 0) if line]
    return "\n".join(lines)


def _claims(alignment: pd.DataFrame, differences: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Both tables with a column `sure`: whether the row stands as a claim among all that the story makes."""
    below = (alignment.subset != "mean") & (alignment.metric == BALANCED)
    tested = alignment.get("p_chance", pd.Series(np.nan, alignment.index))  # a run of an older version has none
    levels = tested.mask(alignment.value >= 0.5, 1.0).where(below)
    sure = holm([*levels, *([] if differences is None else differences.p)]) <= CLAIMED
    count = len(alignment)
    return alignment.assign(sure=sure[:count]), None if differences is None else differences.assign(sure=sure[count:])


def _benchmark(alignment: pd.DataFrame, differences: pd.DataFrame | None, brief: bool) -> list[str]:
    """The lines on one benchmark; "" where there is nothing to say."""
    lines = [] if brief else [_levels(title, rows) for title, rows in alignment.groupby("title", sort=False)]
    if differences is not None and len(differences):
        pairs = differences[differences.model != "fusion"].groupby(["pure", "other"], sort=False)
        lines += [_change(pure, other, rows, brief) for (pure, other), rows in pairs]
    fused = alignment[alignment.model == "fusion"].groupby("title")
    lines += [_fused(alignment, rows, differences) for _, rows in fused]
    missing = alignment[(alignment.subset == "mean") & (alignment.missing > 0)]
    return lines + [
        f"{row.title}: rows without a score, judged nowhere: {row.missing}." for row in missing.itertuples()
    ]


def _levels(title: str, rows: pd.DataFrame) -> str:
    """Where one model stands on each subset, or on how many if there are many."""
    rows = rows[(rows.subset != "mean") & rows.value.notna()]
    if len(rows) > 6:
        return _many(title, rows)
    return f"{title}: " + ", ".join(_level(row) for row in rows.itertuples()) + "." if len(rows) else ""


def _level(row) -> str:
    """One value in words."""
    number = spell(row.value, row.low, row.high)
    if row.metric != BALANCED:
        return f"{row.metric} {number} on {row.subset}"
    if row.low <= 0.5 <= row.high:
        said = "near chance" if row.high - row.low <= NARROW else "not shown to differ from chance"
        return f"{said} on {row.subset} ({number})"
    return f"{number} on {row.subset}" + (", below chance" if row.sure else "")


def _many(title: str, rows: pd.DataFrame) -> str:
    """The range over many subsets, and on how many of them the model is near chance."""
    both = rows[rows.metric == BALANCED]
    if both.empty:
        return ""
    chance = int(((both.low <= 0.5) & (both.high >= 0.5)).sum())
    worst, best = both.loc[both.value.idxmin()], both.loc[both.value.idxmax()]
    return (
        f"{title}: from {worst.value:.2f} on {worst.subset} to {best.value:.2f} on {best.subset}; "
        f"near chance on {chance} of {len(both)} subsets."
    )


def _change(pure: str, other: str, rows: pd.DataFrame, brief: bool) -> str:
    """What the other supervision changed, subset by subset; if `brief` only what it did change."""
    parts = []
    for word, part in (("lower", rows[rows.difference < 0]), ("higher", rows[rows.difference > 0])):
        if part.sure.any():
            parts.append(f"{word} on {_gains(part[part.sure])}, also when all claims are counted")
    unclear = rows[~rows.sure]
    if len(unclear) and not brief:
        parts.append(f"no difference shown on {_gains(unclear)}")
    return f"{other} against {pure}, on the same pictures: {'; '.join(parts)}." if parts else ""


def _gains(rows: pd.DataFrame) -> str:
    """'pixel (-0.04 [-0.09, +0.01]), both (...)'."""
    return ", ".join(
        f"{row.subset} ({spell(row.difference, row.low, row.high, sign=True)})" for row in rows.itertuples()
    )


def _fused(alignment: pd.DataFrame, rows: pd.DataFrame, differences: pd.DataFrame | None) -> str:
    """Fusion's mean beside that of its pure branches, what it is on the same pictures, and what it does to reals."""
    mean = alignment[(alignment.subset == "mean") & alignment.value.notna()]
    own = mean[mean.title == rows.title.iloc[0]]
    branches = mean[pairs.pure(mean)].drop_duplicates("model")
    if own.empty or branches.empty:
        return ""
    own, best = own.iloc[0], branches.loc[branches.value.idxmax()]
    word = "better" if len(branches) < 3 else "best"
    alarms = ", ".join(f"{1 - row.real_accuracy:.2f} ({row.title})" for row in branches.itertuples())
    return (
        f"{own.title} reaches a mean of {spell(own.value, own.low, own.high)}; the {word} single branch, "
        f"{best.title}, {spell(best.value, best.low, best.high)}{_gain(own.title, best.title, differences)}. "
        f"It calls {1 - own.real_accuracy:.2f} of the reals fake, against {alarms}."
    )


def _gain(own: str, best: str, differences: pd.DataFrame | None) -> str:
    """', on the same pictures higher by +0.05 [+0.02, +0.08]'; "" where the two were not paired."""
    rows = () if differences is None else differences[(differences.other == own) & (differences.pure == best)]
    if not len(rows):
        return ""
    row = rows.iloc[0]
    word = ("lower" if row.difference < 0 else "higher") if row.sure else "no difference shown"
    return f"; on the same pictures {word} ({spell(row.difference, row.low, row.high, sign=True)})"


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
