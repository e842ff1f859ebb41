"""A frozen timm backbone: features of images, nothing trained."""

import hashlib
from collections.abc import Callable
from functools import cache, wraps

import numpy as np
import torch
from torch.nn import functional

from aligngemini.core import devices
from aligngemini.expert import backbone

LIMIT = 10_000  # images of which a method remembers what it gave


def remembered(method: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The method, from uint8 images [n, ...] to rows [n, ...], without computing a batch again whose images it has seen
    all: peers share what they measure. `self.state` says what else decides the rows.
    """
    known: dict[tuple, np.ndarray] = {}

    @wraps(method)
    def rows(self, images: np.ndarray) -> np.ndarray:
        if images.dtype != np.uint8:  # a change that no other peer makes
            return method(self, images)
        digests = (hashlib.blake2b(image, digest_size=16).digest() for image in np.ascontiguousarray(images))
        keys = [(self.state, each) for each in digests]
        if not known.keys() >= set(keys):
            if len(known) > LIMIT:
                known.clear()
            known.update(zip(keys, method(self, images), strict=True))
        return np.array([known[key] for key in keys])

    return rows


class Frozen:
    """Features of float or uint8 images [n, H, W, 3] with values from 0 to 255; H and W multiples of the patch size."""

    def __init__(self, base: str, revision: str = "") -> None:
        self.state, self.expert = (base, revision), backbone.load(base, revision)
        self.expert.model.eval().requires_grad_(False)

    @remembered
    @torch.inference_mode()
    def class_tokens(self, images: np.ndarray) -> np.ndarray:
        """The pooled feature (DINOv2: the class token), brought to length 1; float64 [n, d]."""
        feature, _ = self.expert.features(_tensor(images))
        return devices.double(functional.normalize(feature, dim=1)).cpu().numpy()

    @torch.inference_mode()
    def patch_tokens(self, images: np.ndarray) -> np.ndarray:
        """The features of the patches, float32 [n, p, d]."""
        return self.expert.features(_tensor(images))[1].cpu().numpy()


@cache
def load(base: str, revision: str = "") -> Frozen:
    """The backbone of that name, once per process: several peers look through the same one. Raises Refused."""
    return Frozen(base, revision)


def _tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


def cosine_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 - cosine of unit vectors [n, d], float64 [n]."""
    return 1 - (first * second).sum(1)
