"""What a branch was trained on: whether a picture is unlike all training images, by features of the frozen base.

A picture is outside if no training image is as near as validation images are to theirs (deep nearest neighbours,
https://arxiv.org/abs/2204.06507). It changes no score: it says where a score means nothing.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from aligngemini.core import adapters
from aligngemini.core.params import Refused

from .logistic import measured

IMAGES = 600  # of training to compare with, and of validation to choose the limit, at most: ours
INSIDE = 0.99  # share of the validation images that are inside


class Domain(NamedTuple):
    """Features of training images, float16 [m, d], in units of `spread` around `mean` [d], and the largest distance to
    the nearest of them that is inside.
    """

    images: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor
    limit: torch.Tensor

    def outside(self, features: np.ndarray) -> list[bool]:
        """Whether pictures with these features [n, d] are unlike all training images."""
        return (self.distances(features) > self.limit).tolist()

    def distances(self, features: np.ndarray | torch.Tensor) -> torch.Tensor:
        """From each of [n, d] to the nearest training image, float32 [n]."""
        scaled = (torch.as_tensor(features).float() - self.mean) / self.spread
        return torch.cdist(scaled, self.images.float()).amin(1)


def of(
    branch: Any, train: pd.DataFrame, validation: pd.DataFrame | None, known: dict[str, np.ndarray] | None = None
) -> Domain | None:
    """The domain of a branch with `features`, from rows of image tables; None without validation images. `known` are
    features by image_id that need not be computed again.
    """
    if validation is None:
        return None
    near, limiting = (_features(branch, rows, known or {}) for rows in (train, validation))
    if not len(near) or not len(limiting):
        return None
    mean, spread = near.mean(0), near.std(0, correction=0) + 1e-6
    domain = Domain(((near - mean) / spread).half(), mean, spread, torch.tensor(0.0))
    return domain._replace(limit=domain.distances(limiting).quantile(INSIDE))


def _features(branch: Any, rows: pd.DataFrame, known: dict[str, np.ndarray]) -> torch.Tensor:
    rows = rows.assign(reason="").sort_values("image_id").groupby("label").head(IMAGES // 2)
    found = known | measured(branch, rows.loc[~rows["image_id"].isin(known)])
    values = [found[name] for name in rows["image_id"].drop_duplicates() if name in found]
    return torch.tensor(np.array(values), dtype=torch.float32)


def save(domain: Domain | None, folder: Path) -> None:
    """Write the domain, if there is one, beside an adapter."""
    if domain:
        save_file({name: value.contiguous() for name, value in domain._asdict().items()}, folder / adapters.DOMAIN)


def load(folder: Path) -> Domain | None:
    """The domain beside the adapter in `folder`; None if it has none. Raises Refused if it is damaged."""
    if not (Path(folder) / adapters.DOMAIN).exists():
        return None
    try:
        return Domain(**load_file(Path(folder) / adapters.DOMAIN))
    except (OSError, SafetensorError, TypeError) as error:
        raise Refused(f"{folder}/{adapters.DOMAIN} is damaged: fetch or train the adapter again.") from error
