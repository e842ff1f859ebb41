"""Batches for the expert: pairs of real and fake, and all their views."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

from aligngemini.core.seeds import generator
from aligngemini.images import decode, table

from . import views
from .params import ExpertParams
from .sample import sample


def match_real_fake(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Pairs of real and fake: columns pair_id, real, fake (paths), quality (the real's of JPEG, or NaN), matched.

    Rows that share a pair_id become a pair and are `matched`. The rest is paired at random, by `seed`, with an image of
    the other class, so that every batch holds as many reals as fakes.
    """
    rows = rows.sort_values("image_id").sample(frac=1, random_state=seed)
    both = table.pairs(rows)
    alone = rows[~rows.pair_id.isin(both.pair_id)]
    reals, fakes = (alone[alone.label == label].reset_index() for label in (0, 1))
    strangers = pd.DataFrame({"pair_id": reals.image_id, "real": reals.path, "fake": fakes.path}).dropna()
    pairs = pd.concat([both.assign(matched=True), strangers.assign(matched=False)], ignore_index=True)
    qualities = rows.drop_duplicates("path").set_index("path").jpeg_quality
    return pairs.assign(quality=pairs.real.map(qualities).astype(float))


class Batches(Dataset):
    """Batch number -> uint8 images [2 n v, 3, crop, crop] of n pairs in v views, reals first; any worker gives the
    same batch for a number.
    """

    def __init__(self, pairs: pd.DataFrame, config: ExpertParams, start: int = 0):
        self.pairs, self.config, self.start = pairs, config, start
        self.per_epoch = math.ceil(len(pairs) / config.batch_pairs)
        self.stop = max(1, round(config.epochs * self.per_epoch))

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, i: int) -> torch.Tensor:
        epoch, at = divmod(self.start + i, self.per_epoch)
        order = generator("order", self.config.seed, epoch).permutation(len(self.pairs))
        chosen = self.pairs.iloc[order[at * self.config.batch_pairs : (at + 1) * self.config.batch_pairs]]
        parts = [np.split(self._views(row, epoch), 2) for row in chosen.itertuples()]
        return views.tensor(np.concatenate([real for real, _ in parts] + [fake for _, fake in parts]))

    def _views(self, row: Any, epoch: int) -> np.ndarray:
        draws, noise = (generator(what, self.config.seed, epoch, row.pair_id) for what in ("view", "grain"))
        sampled = sample(self.config, draws)
        sampled = sampled if row.matched else replace(sampled, compressed=False, share=0.0)
        real, fake = (decode.read(path).rgb for path in (row.real, row.fake))
        return views.paired_views(real, fake, self.config, sampled, noise, row.quality)
