"""The public object: two branches and a rule, for anybody's images."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from .images import decode, filenames
from .images.places import folders, skips
from .workbook import paths, runs
from .workbook.params import Refused
from .workbook.progress import progress

BRANCHES = ("vlm", "expert")
SHIPPED = paths.resolve("data/mini/detector")


class Detector:
    """Both trained branches of a fusion run behind one call.

    `Detector.from_run("latest")(images)` takes paths, folders, bytes, PIL images or uint8 arrays [H, W, 3], and
    returns one row for each image given, also for those that could not be read.
    """

    def __init__(self, vlm, expert, told: dict, adapters: dict[str, Path]):
        self.vlm, self.expert, self.told, self.adapters = vlm, expert, told, adapters
        self.rule, self.thresholds, self.crop = told["rule"], tuple(told["thresholds"]), told["crop"]

    @classmethod
    def from_run(cls, run: str = "latest", scale: str | None = None) -> Detector:
        """Load the branches behind a run of notebook 04. Raises Refused if there is none."""
        fusion = runs.load("04_fusion", run, scale)
        return cls._built(facts(fusion), *(fusion.inputs[name].path("adapter") for name in BRANCHES))

    @classmethod
    def found(cls, run: str = "") -> Detector:
        """The detector of a run, or the shipped one for "shipped"; for "" that of the latest run, else the shipped."""
        if run == "shipped" or (not run and not _any_run()):
            print("judged by the shipped detector, which knows the small world alone", file=sys.stderr)
            return cls.load()
        return cls.from_run(run or "latest")

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Detector:
        """Load a packed detector: `detector.json` beside the adapters `vlm` and `expert`. Raises Refused."""
        try:
            told = json.loads((Path(folder) / "detector.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"{folder} holds no packed detector ({error}): name a run of notebook 04 instead.") from error
        return cls._built(told, *(Path(folder) / name for name in BRANCHES))

    @classmethod
    def _built(cls, told: dict, *adapters: Path) -> Detector:
        from .expert import adapter, backbone
        from .vlm import load

        vlm, expert = load.load(**told["vlm"]), backbone.load(**told["expert"])
        tuned = load.with_adapter(vlm, adapters[0]), adapter.with_adapter(expert, adapters[1])
        return cls(*tuned, told, dict(zip(BRANCHES, adapters, strict=True)))

    def __call__(self, images, batch_size: int = 32) -> pd.DataFrame:
        """Columns image, vlm_score, expert_score, reason, fused_score, verdict (1 fake, 0 real, <NA> unscored),
        fired.
        """
        from .fusion import join

        rows = [self._batch(chunk) for chunk in _chunks(_listed(images), batch_size, "judging pictures")]
        return join.fuse(pd.concat(rows or [_EMPTY], ignore_index=True), self.rule, *self.thresholds)

    def view(self, branch: str, rgb: np.ndarray, crop: int = 0):
        """What a branch looks at of uint8 [H, W, 3]: "vlm" a PIL image, "expert" its centre crop of `crop` px (0: as
        trained)."""
        from PIL import Image

        from .expert.views import window

        return Image.fromarray(rgb) if branch == "vlm" else window(rgb, crop or self.crop)

    def p_fake(self, branch: str, views: list) -> np.ndarray:
        """p(fake) in [0, 1] by one branch, float64 [n], for n > 0 of its `view`s, crops of one size."""
        from .expert import score as pixels
        from .vlm import verdict

        score, model = (verdict.p_fake, self.vlm) if branch == "vlm" else (pixels.p_fake, self.expert)
        return np.asarray(score(model, views), dtype=np.float64)

    def _batch(self, chunk: list) -> pd.DataFrame:
        """Scores of one batch; what cannot be read gets its reason."""
        read = [_read(image) for _, image in chunk]
        rows = pd.DataFrame(
            {"image": [name for name, _ in chunk], "vlm_score": np.nan, "expert_score": np.nan, "reason": ""}
        )
        rows["reason"] = ["" if isinstance(r, np.ndarray) else r for r in read]
        good = [i for i, r in enumerate(read) if isinstance(r, np.ndarray)]
        for branch in BRANCHES if good else ():
            rows.loc[good, f"{branch}_score"] = self.p_fake(branch, [self.view(branch, read[i]) for i in good])
        return rows

    def explain(self, images, batch_size: int = 32) -> list[str]:
        """One sentence in the VLM's words for each readable image given."""
        chunks = _chunks(_listed(images), batch_size, "explaining verdicts")
        return [said for chunk in chunks for said in self._explained(chunk)]

    def _explained(self, chunk: list) -> list[str]:
        from .vlm import verdict

        read = [_read(image) for _, image in chunk]
        views = [self.view("vlm", rgb) for rgb in read if isinstance(rgb, np.ndarray)]
        said = self.p_fake("vlm", views) > self.thresholds[0] if views else []
        return verdict.explain(self.vlm, views, said)


def _any_run() -> bool:
    """Whether a complete run of notebook 04 lies in the outputs."""
    return any(each["run"]["notebook"] == "04_fusion" and each["run"]["status"] == "complete" for each in runs.all())


def facts(fusion) -> dict:
    """All that a detector needs beside its adapters, from a run of notebook 04, fit for JSON."""
    vlm, expert = (fusion.inputs[name].params for name in BRANCHES)
    commits = [fusion.inputs[name].models["base"]["revision"] for name in BRANCHES]  # those that were trained on
    loaded = {"base": vlm["base"], "revision": commits[0]}
    loaded |= {"precision": vlm["precision"], "max_pixels": vlm["max_pixels"]}
    loaded |= {"quantise": vlm.get("quantise", "")}  # runs from before there was a choice lack it
    return {
        "vlm": loaded,
        "expert": {"base": expert["base"], "revision": commits[1]},
        "rule": fusion.params["rule"],
        "thresholds": [fusion.results[f"{name}_threshold"] for name in BRANCHES],
        "crop": expert["crop"],
    }


_EMPTY = pd.DataFrame({"image": [], "vlm_score": [], "expert_score": [], "reason": []}).astype(
    {"vlm_score": float, "expert_score": float}
)


def _listed(images) -> list[tuple[str, object]]:
    """(name, image) pairs, an Unreadable for a file that is not tried; single images are taken as a list of one.

    Folders are walked. Texts name files as filenames.spelled writes them, and so do the names that come back.
    """
    if isinstance(images, (str, Path, bytes, np.ndarray)) or not isinstance(images, Iterable):
        images = [images]
    found = []
    for i, image in enumerate(images):
        found += _files(image) if isinstance(image, (str, Path)) else [(f"image {i}", image)]
    return found


def _files(source: str | Path) -> list[tuple[str, Path | decode.Unreadable]]:
    """Name and path of a file, or of all files of a folder, as _listed gives them."""
    path = filenames.true(source)
    found = folders.files(path) if os.path.isdir(path) else [(path, skips.reason(path))]
    return [(filenames.spelled(file), decode.Unreadable(why) if why else Path(file)) for file, why in found]


def _chunks(items: list, size: int, label: str) -> Iterable[list]:
    """The items, `size` at a time; where that takes more than one turn, their progress is shown."""
    chunks = [items[at : at + size] for at in range(0, len(items), size)]
    return progress(chunks, label, len(items), size) if len(chunks) > 1 else chunks


def _read(image) -> np.ndarray | str:
    """uint8 [H, W, 3], or the reason why there is none."""
    try:
        if isinstance(image, decode.Unreadable):
            raise image
        return decode.pixels(image)
    except decode.Unreadable as unreadable:
        return str(unreadable)
