"""Logistic regression on the features of a frozen backbone: of the workbook's training sets, or of any labelled folder.

A high figure on galleries may be content: notebook 06 shows it beside that on images of the same content.
"""

import numpy as np
import pandas as pd

from aligngemini.branches.logistic import Logistic
from aligngemini.images import sources, table
from aligngemini.images.params import DataParams

from . import frozen
from .calibrated import Cropped

SETS = ("pixel", "semantic", "union")


class Probe(Cropped, Logistic):
    """The class token of the centre crop."""

    kind, SCALED = "probe", True

    def training(self, data) -> pd.DataFrame:
        """The training images of a set of the data run, or the readable labelled images of a folder."""
        if self.options.train in SETS:
            return table.training(data, self.options.train, "pixel").query("split == 'train'")
        rows = sources.collect(DataParams(test=[self.options.train]))
        return rows[(rows["reason"] == "") & rows["label"].isin((0, 1))]

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        return frozen.load(self.options.base, self.options.revision).class_tokens(np.stack(views))
