"""Logistic regression on the features of a frozen backbone: of the workbook's training sets, or of any labelled folder.

A high figure on galleries may be content: see notebook 06, which shows pooled and content-matched folders apart.
"""

import numpy as np
import pandas as pd

from aligngemini.branches.logistic import Logistic
from aligngemini.expert import views
from aligngemini.images import sources, table
from aligngemini.images.params import DataParams

from . import frozen

SETS = ("pixel", "semantic", "union")


class Probe(Logistic):
    """The class token of the centre crop."""

    kind, SCALED, crop = "probe", True, 0

    def training(self, data) -> pd.DataFrame:
        """The training images of a set of the data run, or the readable labelled images of a folder."""
        if self.options.train in SETS:
            return table.training(data, self.options.train, "pixel").query("split == 'train'")
        rows = sources.collect(DataParams(test=[self.options.train]))
        return rows[(rows["reason"] == "") & rows["label"].isin((0, 1))]

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """The centre crop, uint8 [crop, crop, 3]; a smaller image is padded with zeros."""
        return views.window(rgb, crop or self.options.crop)

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        return frozen.load(self.options.base, self.options.revision).class_tokens(np.stack(views))
