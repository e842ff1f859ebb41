"""A small convolutional network as a second pixel probe: it begins where a logistic regression on statistics ends, and
learns which local traces, too, give the label away.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from torch import nn
from torch.nn import functional

from aligngemini.core import seeds
from aligngemini.images.feed import Item
from aligngemini.scores import cv_auroc
from aligngemini.scores.cv_auroc import Auroc

from . import cues, pixel_statistics
from .pixel_statistics import SIDE

CROP = 64  # px: the part of an image's crop that one step of training sees
STEPS, PAIRS, RATE = 120, 16, 3e-3  # batches (eight passes over cues.PROBED images), pairs in each, highest rate
CONTRAST = 25  # grey levels that become 1
PIXELS = 3 * SIDE * SIDE


def probe(rows: pd.DataFrame) -> Auroc:
    """AUROC of guessing the label of image-table rows; reads at most cues.PROBED of their files."""
    seen, sample = cues.described(rows, _seen)
    return auroc(*zip(*seen, strict=True), rows=sample) if seen else cv_auroc.UNKNOWN


def _seen(item: Item, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pixel_statistics.describe(rgb), pixel_statistics.crop(rgb)


def auroc(statistics: Sequence[np.ndarray], crops: Sequence[np.ndarray], rows: pd.DataFrame) -> Auroc:
    """The same from pixel statistics [n] and crops [n] of the images in `rows`, whose twins stand side by side."""
    packed = np.concatenate([np.reshape(crops, (-1, PIXELS)), np.array(statistics)], axis=1, dtype=np.float32)
    return cv_auroc.cv_auroc(PixelNetwork(), packed, rows)


class PixelNetwork(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn for float32 [n, PIXELS + statistics]. Its log-odds are those of the logistic
    regression on the statistics, as far as they hold on images that it has not seen, plus what the network adds.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> "PixelNetwork":
        """Train on rows and labels (0, 1); the same rows give the same network, which learns what a regression that has
        not seen an image leaves open. A batch holds twins together and cuts all alike: they differ in traces alone.
        """
        self.classes_ = np.array([0, 1])
        before = cross_val_predict(cv_auroc.logreg(), X[:, PIXELS:], y, cv=KFold(5), method="decision_function")
        self.weight_ = max(0.0, float(LogisticRegression().fit(before[:, None], y).coef_[0, 0]))
        self.regression_ = cv_auroc.logreg().fit(X[:, PIXELS:], y)
        draw = torch.Generator().manual_seed(int(seeds.generator("pixel network").integers(2**31)))
        self.network_ = _Network(draw).train()
        labels, before = (torch.from_numpy(np.asarray(each, np.float32)) for each in (y, self.weight_ * before))
        pairs = torch.arange(len(X)).split(2)
        optimiser = torch.optim.AdamW(self.network_.parameters(), RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
        for _ in range(STEPS):
            rows = torch.cat([pairs[place] for place in torch.randint(len(pairs), (PAIRS,), generator=draw)])
            top, left = (8 * int(step) for step in torch.randint((SIDE - CROP) // 8 + 1, (2,), generator=draw))
            seen = _images(X[rows.numpy()])[..., top : top + CROP, left : left + CROP]
            loss = functional.binary_cross_entropy_with_logits(before[rows] + self.network_(seen), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        self.network_.eval()
        return self

    @torch.inference_mode()
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """p(0) and p(1) of rows, float64 [n, 2]."""
        added = torch.cat([self.network_(part) for part in _images(X).split(64)]).double()
        before = self.weight_ * self.regression_.decision_function(X[:, PIXELS:])
        fake = torch.sigmoid(torch.from_numpy(before) + added).numpy()
        return np.stack([1 - fake, fake], axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier label of rows, int64 [n]; cross_val_predict takes no estimator without it."""
        return self.predict_proba(X).argmax(1)


class _Network(nn.Module):
    """Three convolutions over what a small blur takes away; it sees their mean and the log energy of the first."""

    def __init__(self, draw: torch.Generator):
        super().__init__()
        self.first = _convolution(3, 24, 5, draw)
        self.deep = nn.Sequential(
            nn.BatchNorm2d(24), nn.ReLU(), _convolution(24, 32, 3, draw),
            nn.BatchNorm2d(32), nn.ReLU(), _convolution(32, 32, 3, draw), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Sequential(nn.BatchNorm1d(24 + 32), nn.Linear(24 + 32, 1))
        nn.init.zeros_(self.last[1].weight)
        nn.init.zeros_(self.last[1].bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Log-odds [n] of images float32 [n, 3, H, W] in grey levels."""
        pixels = images / CONTRAST
        filtered = self.first(pixels - functional.avg_pool2d(pixels, 3, 1, 1, count_include_pad=False))
        energy = (filtered.square().mean((2, 3)) + 1e-4).log()
        return self.last(torch.cat([self.deep(filtered).mean((2, 3)), energy], 1))[:, 0]


def _convolution(before: int, after: int, size: int, draw: torch.Generator) -> nn.Conv2d:
    made = nn.Conv2d(before, after, size, 2, size // 2, bias=False)
    nn.init.kaiming_uniform_(made.weight, nonlinearity="relu", generator=draw)
    return made


def _images(X: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(X[:, :PIXELS])).reshape(-1, 3, SIDE, SIDE)
