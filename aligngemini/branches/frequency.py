"""A baseline: logistic regression on the azimuthally averaged log power spectrum, after Durall et al. 2020 (arXiv
2003.01826): decoders leave other high frequencies than cameras. Crop, rings and the set to fit on are ours."""

from pathlib import Path

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from aligngemini.core import fingerprint, json_file, manifest, reading
from aligngemini.core.params import Refused
from aligngemini.images import feed, protocols, table
from aligngemini.images.header import Unreadable

RINGS, LIMIT = 16, 4000  # frequencies up to half a cycle per px; images to fit on, of the pixel set
STATE, FORM = "weights.json", {"weights": list, "bias": float}


class Frequency:
    kind, crop = "frequency", 256

    def __init__(self, weights: list[float], bias: float, name: str = "frequency") -> None:
        self.weights, self.bias, self.name = weights, bias, name

    @classmethod
    def fit(cls, source: str, data, out: Path) -> dict:
        rows = table.training(data, "pixel", "pixel").query("split == 'train'").groupby("label").head(LIMIT // 2)
        new, batches = cls([], 0.0), feed.batched(feed.items(rows), 32)
        seen = feed.Feed(batches, lambda item, rgb: new.prepare(rgb), "measuring spectra")
        good = {item.name: got for batch in seen for item, got in batch if not isinstance(got, Exception)}
        label = rows.set_index("image_id")["label"][list(good)]
        if label.nunique() < 2:
            raise Refused("the frequency baseline needs real and fake images of 32 px or more: make the data run again")
        fitted = LogisticRegression(max_iter=5000).fit(list(good.values()), label)
        state = {"weights": fitted.coef_[0].tolist(), "bias": float(fitted.intercept_[0])}
        json_file.write(Path(out) / STATE, state)
        return {"images": len(good)}

    @classmethod
    def load(cls, facts: dict, folder: Path, name: str = "frequency") -> "Frequency":
        state = reading.known(Path(folder) / STATE)
        if not manifest.fits(state, FORM) or len(state["weights"]) != RINGS - 1:
            raise Refused(f"{folder} holds no frequency baseline: run notebook 04 again.")
        return cls(state["weights"], state["bias"], name)

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """Mean log power of the centre in all rings but the coarsest, float64 [RINGS - 1]. Raises Unreadable."""
        side = min(crop or self.crop, *rgb.shape[:2])
        if side < 2 * RINGS:
            raise Unreadable(f"smaller than {2 * RINGS} px")
        grey = protocols.centre(rgb, side).mean(2)
        power = np.log(np.abs(np.fft.rfft2(grey)) ** 2 / side**2 + 1)
        ring = (2 * RINGS * np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))).astype(int)
        return (np.bincount(ring[ring < RINGS], power[ring < RINGS]) / np.bincount(ring[ring < RINGS]))[1:]

    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        return expit(np.array(views) @ self.weights + self.bias)

    def identity(self, crop: int = 0) -> dict:
        return {"branch": self.kind, "crop": crop or self.crop, "code": fingerprint.of_module(__name__)} | vars(self)
