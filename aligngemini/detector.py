"""The public object: two branches and a rule, for anybody's images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from .images import decode, folders
from .workbook import runs


class Detector:
    """Both trained branches of a fusion run behind one call.

    `Detector.from_run("latest")(images)` takes paths, folders, bytes, PIL images or uint8 arrays [H, W, 3], and
    returns one row for each image given, also for those that could not be read.
    """

    def __init__(self, vlm, expert, rule: str, thresholds: tuple[float, float], crop: int):
        self.vlm, self.expert, self.rule, self.thresholds, self.crop = vlm, expert, rule, thresholds, crop

    @classmethod
    def from_run(cls, run: str = "latest", scale: str | None = None) -> Detector:
        """Load the branches behind a run of notebook 04. Raises Refused if there is none."""
        from .expert import backbone
        from .vlm import load

        fusion = runs.load("04_fusion", run, scale)
        first, second = fusion.inputs["vlm"], fusion.inputs["expert"]
        vlm = load.load(
            first.params["base"],
            first.params["base_revision"],
            first.params["precision"],
            first.params["max_pixels"],
        )
        expert = backbone.load(second.params["base"], second.params["base_revision"])
        thresholds = fusion.results["vlm_threshold"], fusion.results["expert_threshold"]
        return cls(
            load.with_adapter(vlm, first.path("adapter")), backbone.with_adapter(expert, second.path("adapter")),
            fusion.params["rule"], thresholds, second.params["crop"],
        )  # fmt: skip

    def __call__(self, images, batch_size: int = 32) -> pd.DataFrame:
        """Columns image, vlm_score, expert_score, reason, fused_score, verdict (1 fake, 0 real, <NA> unscored),
        fired.
        """
        from .fusion import join

        rows = [self._batch(chunk) for chunk in _chunks(_listed(images), batch_size)]
        return join.fuse(pd.concat(rows or [_EMPTY], ignore_index=True), self.rule, *self.thresholds)

    def _batch(self, chunk: list) -> pd.DataFrame:
        """Scores of one batch; what cannot be read gets its reason."""
        from PIL import Image

        from .expert import score as pixels
        from .expert.views import window
        from .vlm import verdict

        read = [_read(image) for _, image in chunk]
        rows = pd.DataFrame(
            {"image": [name for name, _ in chunk], "vlm_score": np.nan, "expert_score": np.nan, "reason": ""}
        )
        rows["reason"] = ["" if isinstance(r, np.ndarray) else r for r in read]
        good = [i for i, r in enumerate(read) if isinstance(r, np.ndarray)]
        if good:
            rows.loc[good, "vlm_score"] = verdict.p_fake(self.vlm, [Image.fromarray(read[i]) for i in good])
            rows.loc[good, "expert_score"] = pixels.p_fake(self.expert, [window(read[i], self.crop) for i in good])
        return rows

    def explain(self, images) -> list[str]:
        """One sentence in the VLM's words for each readable image given."""
        from PIL import Image

        from .vlm import verdict

        read = [rgb for rgb in (_read(image) for _, image in _listed(images)) if isinstance(rgb, np.ndarray)]
        pictures = [Image.fromarray(rgb) for rgb in read]
        said = [int(p > self.thresholds[0]) for p in verdict.p_fake(self.vlm, pictures)] if pictures else []
        return verdict.explain(self.vlm, pictures, said)


_EMPTY = pd.DataFrame({"image": [], "vlm_score": [], "expert_score": [], "reason": []}).astype(
    {"vlm_score": float, "expert_score": float}
)


def _listed(images) -> list[tuple[str, object]]:
    """(name, image) pairs; folders are walked, single images are taken as a list of one."""
    if isinstance(images, (str, Path, bytes, np.ndarray)) or not isinstance(images, Iterable):
        images = [images]
    found = []
    for i, image in enumerate(images):
        if isinstance(image, (str, Path)) and Path(image).is_dir():
            found += [(str(path), path) for path in folders.files(image)]
        else:
            found.append((str(image) if isinstance(image, (str, Path)) else f"image {i}", image))
    return found


def _chunks(items: list, size: int) -> list[list]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _read(image) -> np.ndarray | str:
    """uint8 [H, W, 3], or the reason why there is none."""
    try:
        if isinstance(image, (str, Path, bytes)):
            return decode.read(image).rgb
        return np.asarray(image.convert("RGB") if hasattr(image, "convert") else image, np.uint8)
    except decode.Unreadable as unreadable:
        return str(unreadable)
