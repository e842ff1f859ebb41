"""A branch that is a logistic regression on features of an image; a subclass says which features."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit

from aligngemini.core import fingerprint, json_file, manifest, reading
from aligngemini.core.params import Refused
from aligngemini.images import feed, table

from . import options, registry

STATE, FORM = "weights.json", {"weights": list, "bias": float}
BATCH = 32  # images measured at once


class Logistic(ABC):
    """Subclasses give `kind`, `prepare` and `features`, and may have a `training` table of their own.

    LIMIT: images to fit on, half of each class. SCALED: whether features are brought to unit variance first. COUNT: of
    the features, 0 where that depends on the options.
    """

    kind: ClassVar[str]
    LIMIT: ClassVar[int] = 4000
    SCALED: ClassVar[bool] = False
    COUNT: ClassVar[int] = 0
    crop: int

    def __init__(self, given: Any, name: str, weights: list[float], bias: float) -> None:
        self.options, self.name, self.weights, self.bias = given, name, weights, bias

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """Fit on the training images of a complete data run; `source` is the text of the options."""
        new = cls(options.read(cls.kind, source), cls.kind, [], 0.0)
        rows = new.training(data).groupby("label").head(cls.LIMIT // 2)
        found = measured(new, rows)
        label = rows.set_index("image_id").loc[list(found), "label"]
        if label.nunique() < 2:
            title = registry.title(cls.kind)
            raise Refused(f"the {title} needs real and fake images of 32 px or more: make the data run again")
        weights, bias = fitted(np.array(list(found.values())), label, cls.SCALED)
        json_file.write(Path(out) / STATE, {"weights": weights.tolist(), "bias": float(bias)})
        return {"images": len(found), "options": source}

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "") -> Self:
        state = reading.known(Path(folder) / STATE)
        if not manifest.fits(state, FORM) or len(state["weights"]) != (cls.COUNT or len(state["weights"]) or 1):
            raise Refused(f"{folder} holds no {registry.title(cls.kind)}: run the notebook that made it again.")
        given = options.read(cls.kind, facts.get("options", ""))
        return cls(given, name or cls.kind, state["weights"], state["bias"])

    def training(self, data) -> pd.DataFrame:
        """The images to fit on, rows of an image table: the pixel set's."""
        return table.training(data, "pixel", "pixel").query("split == 'train'")

    @abstractmethod
    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """What `features` takes of uint8 [H, W, 3]. Raises Unreadable where it cannot look."""

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        """Float64 [n, d] of what `prepare` gave."""
        return np.array(views)

    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        return expit(self.features(views) @ np.array(self.weights) + self.bias)

    def identity(self, crop: int = 0) -> dict[str, Any]:
        state = {"options": self.options.model_dump(), "weights": self.weights, "bias": self.bias}
        return state | {"branch": self.kind, "crop": crop or self.crop, "code": fingerprint.of_module(self.__module__)}


def measured(branch, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """`branch.features` of every image that can be read: image_id -> float64 [d]."""
    batches, found = feed.batched(feed.items(rows), BATCH), {}
    for batch in feed.Feed(batches, lambda item, rgb: branch.prepare(rgb), f"measuring for {branch.name}"):
        good = [(item.name, got) for item, got in batch if not isinstance(got, Exception)]
        if good:
            names, views = zip(*good, strict=True)
            found |= dict(zip(names, branch.features(list(views)), strict=True))
    return found


def fitted(features: np.ndarray, label, scaled: bool) -> tuple[np.ndarray, float]:
    """Weights [d] and bias on the features as they are, whether or not they were scaled to fit."""
    from sklearn.linear_model import LogisticRegression  # takes a second to load, and only training needs it

    mean, spread = (features.mean(0), features.std(0) + 1e-9) if scaled else (0.0, 1.0)
    fitted = LogisticRegression(max_iter=5000).fit((features - mean) / spread, label)
    weights = fitted.coef_[0] / spread
    return weights, fitted.intercept_[0] - float((weights * mean).sum())
