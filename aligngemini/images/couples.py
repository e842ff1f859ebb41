"""Couples of a real and a fake image in training tables: how many there are, and which of them a mixed set takes.

A couple is a pair, or a real and a fake image that have no partner.
"""

import pandas as pd

from aligngemini.core import seeds

TASKS = ("semantic", "pixel")  # the pure sets


def by_split(rows: pd.DataFrame) -> dict[str, int]:
    """The number of couples in each split that the rows have."""
    return {split: _count(same) for split, same in rows.groupby("split")}


def halves(semantic: pd.DataFrame, pixel: pd.DataFrame, own: str) -> list[dict[str, int]]:
    """Couples by split that a mixed set takes from either pure set; together as many as the set `own` (of TASKS) has.

    Half are of either set; where one has fewer than that, all of it is taken.
    """
    have = [by_split(semantic), by_split(pixel)]
    total = have[TASKS.index(own)]
    most = [{split: each.get(split, 0) for split in total} for each in have]
    first = {split: max(min((n + 1) // 2, most[0][split]), n - most[1][split]) for split, n in total.items()}
    return [first, {split: n - first[split] for split, n in total.items()}]


def sample(rows: pd.DataFrame, wanted: dict[str, int]) -> pd.DataFrame:
    """So many couples of each split, by hash; pairs and images without a partner have their shares."""
    chosen: list[str] = []
    for split, same in rows.groupby("split"):
        both, reals, fakes = _ranked(same)
        pairs = wanted.get(split, 0) * len(both) // max(1, _count(same))
        alone = wanted.get(split, 0) - pairs
        chosen += [*both[:pairs], *reals[:alone], *fakes[:alone]]
    return rows[rows["pair_id"].isin(chosen)]


def _ranked(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """pair_ids of pairs, of reals and of fakes without a partner, each in hash order."""
    labels = rows.groupby("pair_id")["label"].agg(lambda both: tuple(sorted(both)))
    return tuple(seeds.ranked(labels.index[labels == kind], "mixed") for kind in ((0, 1), (0,), (1,)))


def _count(rows: pd.DataFrame) -> int:
    both, reals, fakes = map(len, _ranked(rows))
    return both + min(reals, fakes)
