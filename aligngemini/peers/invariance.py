"""Training-free: how far the features of an image move under a small change. RIGID (arXiv 2405.20112), Contrastive
Blur and MINDER (arXiv 2411.19117). Their direction inverts on some generators (arXiv 2606.20488): see `direction`.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from aligngemini.core import seeds

from . import frozen
from .calibrated import Calibrated

WHITE = 255.0


class Rigid(Calibrated):
    """The mean cosine distance between an image and noisy copies; the noise is the same for every image (ours)."""

    kind = "rigid"

    @frozen.remembered
    def statistic(self, images: np.ndarray) -> np.ndarray:
        model, chosen = frozen.load(self.options.base, self.options.revision), self.options
        plain = model.class_tokens(images)
        patterns = (seeds.generator("rigid", draw).normal(size=images.shape[1:]) for draw in range(chosen.draws))
        noisy = (np.clip(images + WHITE * chosen.noise * each, 0, WHITE).astype(np.float32) for each in patterns)
        return np.mean([frozen.cosine_distance(plain, model.class_tokens(each)) for each in noisy], axis=0)


class ContrastiveBlur(Calibrated):
    """The cosine distance between the image blurred and the image sharpened: 2 x - blur(x), cut at black and white."""

    kind = "blur"

    @frozen.remembered
    def statistic(self, images: np.ndarray) -> np.ndarray:
        sigma = (0, self.options.blur, self.options.blur, 0)
        plain = images.astype(np.float32)  # twice a byte may be more than a byte holds
        blurred = gaussian_filter(plain, sigma, mode="mirror", radius=(0, 1, 1, 0))
        sharp = np.clip(2 * plain - blurred, 0, WHITE)
        model = frozen.load(self.options.base, self.options.revision)
        return frozen.cosine_distance(model.class_tokens(blurred), model.class_tokens(sharp))


class Minder(Calibrated):
    """The smaller of both distances, as the paper's equation has it (a sentence of it says the larger)."""

    kind = "minder"

    def statistic(self, images: np.ndarray) -> np.ndarray:
        parts = (each(self.options, each.kind, []).statistic(images) for each in (Rigid, ContrastiveBlur))
        return np.minimum(*parts)
