"""Peers that send an image through an autoencoder: what comes back tells whether a decoder was there before."""

from functools import cache, partial

import numpy as np
from scipy.ndimage import gaussian_filter

from aligngemini.branches.frequency import RINGS, ring_power
from aligngemini.branches.logistic import Logistic
from aligngemini.images import autoencoder

from .calibrated import Calibrated, Cropped

BLUR = 1.0  # px, sigma of the second fixed pass of SelfReference; ours


@cache
def load(name: str, revision: str = "") -> autoencoder.Autoencoder:
    """The autoencoder of that name, once per process. Raises Refused."""
    return autoencoder.load(name, revision)


class ReconstructionError(Calibrated):
    """The mean absolute difference between image and reconstruction, in grey levels, in the manner of AEROBLADE (Ricker
    et al. 2024). AEROBLADE measures by LPIPS and takes the least error of several autoencoders; the pixels are ours.
    """

    kind = "reconstruction"

    def statistic(self, images: np.ndarray) -> np.ndarray:
        again = load(self.options.vae, self.options.revision).roundtrip(images)
        return np.abs(again.astype(np.float64) - images).mean((1, 2, 3))


class SelfReference(Cropped, Logistic):
    """What one more pass of a fixed network changes, x - R(x), and what a second pass changes, R(x) - R(R(x)), as log
    power by frequency; R is an autoencoder, and a blur. Logistic regression on the pixel set; the bands are ours.
    """

    kind, SCALED, COUNT = "self_reference", True, 4 * RINGS

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        """float64 [n, 4 RINGS]."""
        images = np.stack(views)
        blurred = partial(gaussian_filter, sigma=(0, BLUR, BLUR, 0), mode="mirror")
        passes = (load(self.options.vae, self.options.revision).roundtrip, blurred)
        changes = [change for each in passes for change in _changes(images, each)]
        return np.hstack([np.array([ring_power(each, RINGS) for each in change]) for change in changes])


def _changes(images: np.ndarray, one_pass) -> tuple[np.ndarray, np.ndarray]:
    """What the first and the second pass change, float64 [n, H, W]: the mean over colours."""
    once = one_pass(images)
    twice = one_pass(once)
    first, second = (a.astype(np.float64) - b for a, b in ((images, once), (once, twice)))
    return first.mean(3), second.mean(3)
