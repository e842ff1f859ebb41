"""A branch without training: a statistic of an image, calibrated on real images alone. A subclass says which."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit

from aligngemini.branches import logistic, options
from aligngemini.core import fingerprint
from aligngemini.core.params import Refused
from aligngemini.expert.views import window
from aligngemini.images import table

IMAGES = 500  # real images to calibrate on; ours
ALARMS = 0.05  # share of these that a threshold of 0.95 calls fake, as in the reproduction of MINDER
LEAST = 8  # real images, for an outer quantile to be more than the largest of a few


class Cropped:
    """Subclasses have `options` with a `crop`, px."""

    options: Any

    @property
    def crop(self) -> int:
        """Side of the square that it looks at, px."""
        return self.options.crop

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """The centre crop, uint8 [crop, crop, 3]; a smaller image is padded with zeros."""
        return window(rgb, crop or self.crop)


class Calibrated(Cropped, ABC):
    """p(fake) is 0.5 at the median of the real images, and 0.95 (0.05) at their outer quantile on either side: ours.

    Subclasses give `kind` (their name in the registry) and `statistic`. Their class of options, in `peers/params.py`,
    has a `crop`, px, and a `direction`: "high" if a large statistic says fake, "low" if a small one does.
    """

    kind: ClassVar[str]
    threshold: ClassVar[float] = 1 - ALARMS

    def __init__(self, given: Any, name: str, quantiles: list[float]) -> None:
        self.options, self.name, self.quantiles = given, name, quantiles

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """Measure real training images of a complete data run; `source` is the text of the options."""
        rows = table.training(data, "pixel", "pixel").query("split == 'train' and label == 0")
        return cls(options.read(cls.kind, source), cls.kind, []).calibrate(source, rows)

    def calibrate(self, source: str, rows: pd.DataFrame) -> dict[str, Any]:
        """The facts for `load` from real images, rows of an image table.

        Raises Refused for too few of them, and for a statistic that is the same for most of them.
        """
        found = np.array(list(logistic.measured(self, rows.head(IMAGES)).values()))
        quantiles = np.quantile(found, [ALARMS, 0.5, 1 - ALARMS]).tolist() if len(found) >= LEAST else []
        if not quantiles or not quantiles[0] < quantiles[1] < quantiles[2]:
            measured = f"{len(found)} were measured: make the data run larger, or change its options"
            raise Refused(f"{self.kind} needs {LEAST} real training images whose statistics differ; {measured}")
        return {"images": len(found), "options": source, "quantiles": quantiles}

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "") -> Self:
        return cls(options.read(cls.kind, facts["options"]), name or cls.kind, facts["quantiles"])

    @property
    def state(self) -> str:
        """What decides the statistic, beside its method."""
        return self.options.model_dump_json(exclude={"name", "direction"})

    @abstractmethod
    def statistic(self, images: np.ndarray) -> np.ndarray:
        """Float64 [n] of uint8 images [n, crop, crop, 3]."""

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        return self.statistic(np.stack(views))

    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        """float64 [n]: logistic in the distance from the median, in units of the distance to the outer quantile."""
        low, middle, high = self.quantiles
        away = self.features(views) - middle
        scaled = np.where(away > 0, away / (high - middle), away / (middle - low))
        sign = 1 if self.options.direction == "high" else -1
        return expit(sign * np.log((1 - ALARMS) / ALARMS) * scaled)

    def identity(self, crop: int = 0) -> dict[str, Any]:
        state = {"options": self.options.model_dump(), "quantiles": self.quantiles, "crop": crop or self.crop}
        return state | {"branch": self.kind, "code": fingerprint.of_module(type(self).__module__)}
