"""The mixed set: half of the real and fake images of either pure set.

A couple is a pair, or a real and a fake image that have no partner.
"""

import pandas as pd

from aligngemini.core import seeds

TASKS = ("semantic", "pixel")  # the pure sets


def make(semantic: pd.DataFrame, pixel: pd.DataFrame, own: str) -> pd.DataFrame:
    """As many couples of each split as the set `own` (of TASKS) has, half of either set, chosen by hash.

    Where one set has fewer than that, all of it is taken, and the rest of the other: no image is shown more often than
    in a pure set.
    """
    counts = halves(semantic, pixel, own)
    parts = [sample(rows, wanted) for rows, wanted in zip((semantic, pixel), counts, strict=True)]
    return pd.concat(parts, ignore_index=True)


def halves(semantic: pd.DataFrame, pixel: pd.DataFrame, own: str) -> list[dict[str, int]]:
    """Couples by split that are taken from either pure set."""
    have = [by_split(semantic), by_split(pixel)]
    total = have[TASKS.index(own)]
    most = [{split: each.get(split, 0) for split in total} for each in have]
    first = {split: max(min((n + 1) // 2, most[0][split]), n - most[1][split]) for split, n in total.items()}
    return [first, {split: n - first[split] for split, n in total.items()}]


def by_split(rows: pd.DataFrame) -> dict[str, int]:
    """The number of couples in each split that the rows have."""
    return {split: _count(same) for split, same in rows.groupby("split")}


def sample(rows: pd.DataFrame, wanted: dict[str, int]) -> pd.DataFrame:
    """So many couples of each split, by hash; pairs and images without a partner have their shares."""
    chosen: list[str] = []
    for split, same in rows.groupby("split"):
        pairs, reals, fakes = _ranked(same)
        whole = wanted.get(split, 0) * len(pairs) // max(1, _count(same))
        alone = wanted.get(split, 0) - whole
        chosen += [*pairs[:whole], *reals[:alone], *fakes[:alone]]
    return rows[rows["pair_id"].isin(chosen)]


def _ranked(rows: pd.DataFrame) -> tuple[list[str], ...]:
    """pair_ids of pairs, of reals and of fakes without a partner, each in hash order."""
    labels = rows.groupby("pair_id")["label"].agg(lambda both: tuple(sorted(both)))
    return tuple(seeds.ranked(labels.index[labels == kind], "mixed") for kind in ((0, 1), (0,), (1,)))


def _count(rows: pd.DataFrame) -> int:
    pairs, reals, fakes = map(len, _ranked(rows))
    return pairs + min(reals, fakes)
