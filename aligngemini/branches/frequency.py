"""A baseline: logistic regression on the azimuthally averaged log power spectrum, after Durall et al. 2020 (arXiv
2003.01826): decoders leave other high frequencies than cameras. Crop, rings and the set to fit on are ours."""

import numpy as np

from aligngemini.images import protocols
from aligngemini.images.header import Unreadable

from .logistic import Logistic

RINGS = 16  # frequencies up to half a cycle per px


class Frequency(Logistic):
    """The spectrum of the centre crop."""

    kind, crop, COUNT = "frequency", 256, RINGS - 1

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """Mean log power of the centre in all rings but the coarsest, float64 [RINGS - 1]. Raises Unreadable."""
        side = min(crop or self.crop, *rgb.shape[:2])
        if side < 2 * RINGS:
            raise Unreadable(f"smaller than {2 * RINGS} px")
        return ring_power(protocols.centre(rgb, side).mean(2))[1:]


def ring_power(grey: np.ndarray, rings: int = RINGS) -> np.ndarray:
    """Mean log power of a square float [side, side] by radial frequency, float64 [rings]."""
    side = len(grey)
    power = np.log(np.abs(np.fft.rfft2(grey)) ** 2 / side**2 + 1)
    ring = (2 * rings * np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))).astype(int)
    return np.bincount(ring[ring < rings], power[ring < rings]) / np.bincount(ring[ring < rings])
