"""The public object: branches and a rule, for anybody's images."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from .branches import registry, scoring
from .branches.branch import Branch
from .core import manifest, paths, reading, runs, saved_runs, shipped, stages
from .core.params import Refused
from .fusion import join
from .fusion.rules import Fusion
from .images import decode, filenames
from .images.failures import attempt, each
from .images.feed import Feed, Item, batched
from .images.loaders import folders, skips

FILE = "detector.json"
FORM = {"branches": list, "fusion": dict}  # what it holds; `from_dict` of Fusion knows the rest
BRANCH = {"name": str, "kind": str, "facts": dict, "run": str}
SHIPPED = paths.resolve("data/mini/detector")


class Detector:
    """The branches of a fusion run behind one call.

    `Detector.found()(images)` takes paths, folders, bytes, PIL images or arrays (see images.arrays.as_image), and
    returns one row for each file or image given, also for those that could not be read.
    """

    def __init__(self, branches: Sequence[Branch], fusion: Fusion):
        self.branches, self.fusion = list(branches), fusion
        self.names = [branch.name for branch in self.branches]

    @classmethod
    def from_run(cls, run: str = "latest", scale: str | None = None) -> Detector:
        """Load the branches behind a run of notebook 04. Raises Refused if there is none."""
        fusion = runs.load(stages.FUSION, run, scale)
        return cls._built(fusion.folder, partial(home, fusion, trained(fusion)))

    @classmethod
    def found(cls, run: str = "") -> Detector:
        """The detector of a run, or the shipped one for "shipped"; for "" that of the latest run, else the shipped."""
        if run == "shipped" or (not run and not _any_run()):
            print("judged by the shipped detector, which knows the small world alone", file=sys.stderr)
            return cls.load()
        return cls.from_run(run or "latest")

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Detector:
        """Load a packed detector: `detector.json` beside a folder for each branch. Raises Refused."""
        shipped.check(Path(folder), "detector")
        return cls._built(Path(folder), lambda branch: Path(folder) / branch["name"])

    @classmethod
    def _built(cls, folder: Path, home: Callable[[dict], Path]) -> Detector:
        config = described(folder)
        fusion = Fusion.from_dict(config["fusion"])
        if len(fusion.thresholds) != len(config["branches"]):
            raise _undescribed(folder)
        return cls([_loaded(branch, home(branch)) for branch in config["branches"]], fusion)

    def __call__(self, images, batch_size: int = 32) -> pd.DataFrame:
        """Columns image, <name>_score of each branch, reason, fused_score, verdict (1 fake, 0 real, <NA> unscored),
        fired.

        An image that one branch cannot score has the others' scores, and a reason.
        """
        listed = _listed(images)
        scores = {name: np.full(len(listed), np.nan) for name in self.names}
        reasons: list[dict] = [{} for _ in listed]
        batches = _batches(listed, batch_size)
        looks, label = partial(scoring.plain_looks, self.branches), "judging pictures" if len(batches) > 1 else ""
        for part in scoring.scored(batches, looks, batch_size, label, read=decode.pixels):
            for score in part:
                if score.reason:
                    reasons[score.name][score.key] = score.reason
                else:
                    scores[score.key][score.name] = score.value
        rows = {"image": [name for name, _ in listed]} | {f"{name}_score": found for name, found in scores.items()}
        rows["reason"] = [join.reason(found, self.names) for found in reasons]
        return join.fuse(pd.DataFrame(rows), self.fusion, self.names)

    @property
    def explainer(self) -> Branch:
        """The first branch that explains its verdicts. Raises Refused if there is none."""
        found = next((branch for branch in self.branches if hasattr(branch, "explain")), None)
        if found is None:
            raise Refused("no branch of this detector explains its verdicts in words: ask for scores alone")
        return found

    def explain(self, images, batch_size: int = 32) -> list[str]:
        """One sentence in the explainer's words for each readable image given, "" where it cannot look at it."""
        batches, prepare = _batches(_listed(images), batch_size), self.explainer.prepare
        label = "explaining verdicts" if len(batches) > 1 else ""
        feed = Feed(batches, lambda item, rgb: [attempt(prepare, rgb, item.source)], label, decode.pixels)
        readable = ([got for _, got in batch if isinstance(got, list)] for batch in feed)
        return [said for views in readable for said in self._explained([view for (view,) in views])]

    def _explained(self, views: list) -> list[str]:
        """The explainer's words on its views, "" for those that are exceptions."""
        branch = self.explainer
        threshold = self.fusion.thresholds[self.names.index(branch.name)]
        scores = each(branch.p_fake, views)
        good = [place for place, score in enumerate(scores) if not isinstance(score, Exception)]
        fake = [scores[place] > threshold for place in good]
        said = dict(zip(good, branch.explain([views[place] for place in good], fake), strict=True))
        return [said.get(place, "") for place in range(len(views))]


def _any_run() -> bool:
    """Whether a run of notebook 04 lies in the outputs, also one that cannot be read: it is refused by name."""
    return bool(saved_runs.complete(stages.FUSION) or saved_runs.unreadable(stages.FUSION))


def described(folder: Path) -> dict:
    """What `detector.json` in a folder says: branches and fusion. Raises Refused."""
    try:
        config = reading.json(folder / FILE)
    except (OSError, ValueError) as error:
        raise Refused(f"{folder} holds no packed detector ({error}): name a run of notebook 04 instead.") from error
    if not manifest.fits(config, FORM) or not all(manifest.fits(branch, BRANCH) for branch in config["branches"]):
        raise _undescribed(folder)
    called = [branch["name"] for branch in config["branches"]]
    if len(set(called)) < len(called) or not all(re.fullmatch(r"\w+", name) for name in called):  # they name folders
        raise _undescribed(folder)
    return config


def _undescribed(folder: Path) -> Refused:
    return Refused(f"{folder} does not say what its detector is made of: name another run, or fetch it again.")


def _loaded(branch: dict, folder: Path) -> Branch:
    return registry.kind(branch["kind"]).load().load(branch["facts"], folder, branch["name"])


def trained(fusion) -> dict[str, Path]:
    """The adapters of the runs that a run of notebook 04 stands on: "notebook/run" -> folder."""
    return {f"{run.notebook}/{run.name}": run.path("adapter") for run in fusion.inputs.values()}


def home(fusion, adapters: dict[str, Path], branch: dict) -> Path:
    """The folder with the files of a branch that `detector.json` of a run of notebook 04 describes. Raises Refused."""
    if branch["run"] and branch["run"] not in adapters:
        raise Refused(
            f"{fusion.folder} does not stand on the run {branch['run']} that it names: run notebook 04 again."
        )
    return adapters[branch["run"]] if branch["run"] else fusion.path("branches", branch["name"])


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
