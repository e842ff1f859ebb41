"""The public object: two branches and a rule, for anybody's images."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .images import decode, filenames
from .images.failures import attempt, each
from .images.feed import Feed, Item, batched
from .images.places import folders, skips
from .workbook import manifest, paths, reading, records, runs, shipped
from .workbook.params import Refused

BRANCHES = ("vlm", "expert")
FACTS = {
    "vlm": {"base": str, "revision": str, "precision": str, "max_pixels": int},
    "expert": {"base": str, "revision": str},
    "rule": str,
    "thresholds": list,
    "crop": int,
}  # what `facts` gives
SHIPPED = paths.resolve("data/mini/detector")


class Detector:
    """Both trained branches of a fusion run behind one call.

    `Detector.found()(images)` takes paths, folders, bytes, PIL images or arrays (see images.arrays.as_image), and
    returns one row for each file or image given, also for those that could not be read.
    """

    def __init__(self, vlm, expert, told: dict, adapters: dict[str, Path]):
        from .expert.branch import ExpertBranch
        from .fusion import rules
        from .vlm.branch import VLMBranch

        self.vlm, self.expert, self.told, self.adapters = vlm, expert, told, adapters
        self.branches = [
            VLMBranch(vlm, told["vlm"], adapters["vlm"]),
            ExpertBranch(expert, told["crop"], told["expert"], adapters["expert"]),
        ]
        self.fusion, self.names = rules.Fusion(told["rule"], tuple(told["thresholds"])), BRANCHES
        self.rule, self.thresholds, self.crop = told["rule"], tuple(told["thresholds"]), told["crop"]

    @classmethod
    def from_run(cls, run: str = "latest", scale: str | None = None) -> Detector:
        """Load the branches behind a run of notebook 04. Raises Refused if there is none."""
        fusion = runs.load("04_fusion", run, scale)
        adapters = [fusion.inputs[name].path("adapter") for name in BRANCHES]
        try:
            told = facts(fusion)
        except (LookupError, TypeError, AttributeError):  # a run made by other code, or by other hands
            told = {}
        return cls._built(told, fusion.folder, *adapters)

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
        shipped.check(Path(folder), "detector")
        try:
            told = reading.json(Path(folder) / "detector.json")
        except (OSError, ValueError) as error:
            raise Refused(f"{folder} holds no packed detector ({error}): name a run of notebook 04 instead.") from error
        return cls._built(told, Path(folder), *(Path(folder) / name for name in BRANCHES))

    @classmethod
    def _built(cls, told: dict, folder: Path, *adapters: Path) -> Detector:
        from .expert import adapter, backbone
        from .vlm import load

        if not _complete(told):
            raise Refused(f"{folder} does not say what its detector is made of: name another run, or fetch it again.")
        vlm, expert = load.load(**told["vlm"]), backbone.load(**told["expert"])
        tuned = load.with_adapter(vlm, adapters[0]), adapter.with_adapter(expert, adapters[1])
        return cls(*tuned, told, dict(zip(BRANCHES, adapters, strict=True)))

    def __call__(self, images, batch_size: int = 32) -> pd.DataFrame:
        """Columns image, vlm_score, expert_score, reason, fused_score, verdict (1 fake, 0 real, <NA> unscored),
        fired.

        An image that one branch cannot score has the other's score, and a reason.
        """
        from .branches import scoring
        from .fusion import join, rules

        listed = _listed(images)
        looks = partial(scoring.plain_looks, self.branches)
        scores = {branch: np.full(len(listed), np.nan) for branch in BRANCHES}
        reasons: list[dict] = [{} for _ in listed]
        batches = _batches(listed, batch_size)
        reading = {"label": "judging pictures" if len(batches) > 1 else "", "read": decode.pixels}
        for part in scoring.scored(batches, looks, batch_size, **reading):
            for score in part:
                if score.reason:
                    reasons[score.name][score.key] = score.reason
                else:
                    scores[score.key][score.name] = score.value
        rows = {"image": [name for name, _ in listed]} | {f"{name}_score": found for name, found in scores.items()}
        rows["reason"] = [join.reason(found, BRANCHES) for found in reasons]
        return join.fuse(pd.DataFrame(rows), rules.Fusion(self.rule, self.thresholds), BRANCHES)

    def view(self, branch: str, rgb: np.ndarray, crop: int = 0):
        """What a branch looks at of uint8 [H, W, 3]: "vlm" a PIL image, "expert" its centre crop of `crop` px (0: as
        trained). Raises Unreadable where it cannot."""
        from .expert.views import window
        from .vlm.look import look

        return look(self.vlm, rgb) if branch == "vlm" else window(rgb, crop or self.crop)

    def p_fake(self, branch: str, views: list) -> np.ndarray:
        """p(fake) in [0, 1] by one branch, float64 [n], for n > 0 of its `view`s, crops of one size."""
        from .expert import score as pixels
        from .vlm import verdict

        score, model = (verdict.p_fake, self.vlm) if branch == "vlm" else (pixels.p_fake, self.expert)
        return np.asarray(score(model, views), dtype=np.float64)

    def explain(self, images, batch_size: int = 32) -> list[str]:
        """One sentence in the VLM's words for each readable image given, "" where the VLM cannot look at it."""
        batches = _batches(_listed(images), batch_size)
        label = "explaining verdicts" if len(batches) > 1 else ""
        feed = Feed(batches, lambda item, rgb: [attempt(self.view, "vlm", rgb)], label, decode.pixels)
        readable = ([got for _, got in batch if isinstance(got, list)] for batch in feed)
        return [said for views in readable for said in self._explained([view for (view,) in views])]

    def _explained(self, views: list) -> list[str]:
        """The VLM's words on its views, "" for those that are exceptions."""
        from .vlm import verdict

        scores = each(partial(self.p_fake, "vlm"), views)
        good = [place for place, score in enumerate(scores) if not isinstance(score, Exception)]
        fake = [scores[place] > self.thresholds[0] for place in good]
        said = dict(zip(good, verdict.explain(self.vlm, [views[place] for place in good], fake), strict=True))
        return [said.get(place, "") for place in range(len(views))]


def _any_run() -> bool:
    """Whether a run of notebook 04 lies in the outputs, also one that cannot be read: it is refused by name."""
    return bool(records.complete("04_fusion") or records.unreadable("04_fusion"))


def _complete(told: object) -> bool:
    """Whether `told` is what `facts` gives; `quantise` came later."""
    if not manifest.fits(told, FACTS) or not set(told["vlm"]) <= {*FACTS["vlm"], "quantise"}:
        return False
    thresholds = told["thresholds"]
    return len(thresholds) == len(BRANCHES) and all(manifest.fits(each, manifest.NUMBER) for each in thresholds)


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


def _batches(listed: list[tuple[str, object]], size: int) -> list[list[Item]]:
    """The images, named by their places, `size` at a time."""
    reasons = [str(image) if isinstance(image, decode.Unreadable) else "" for _, image in listed]
    return batched([Item(place, listed[place][1], why) for place, why in enumerate(reasons)], size)
