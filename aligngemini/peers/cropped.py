"""What peers look at: the centre crop whose side their options give."""

from typing import Any

import numpy as np

from aligngemini.expert.views import window


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
