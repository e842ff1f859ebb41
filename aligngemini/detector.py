"""The public object: branches and a rule, for anybody's images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from .branches import registry, scoring
from .branches.branch import Branch
from .core import paths, runs, saved_runs, shipped, stages
from .core.copies import Copies
from .core.params import Refused
from .fusion import description, join, outside
from .fusion.rules import Fusion
from .images import decode, filenames
from .images.failures import attempt, each
from .images.feed import Feed, Item, batched
from .images.loaders import folders

SHIPPED = paths.resolve("data/mini/detector")
Listed = Sequence[tuple[str, object]]


class Detector:
    """The branches of a fusion run behind one call.

    `Detector.found()(images)` takes paths, folders, bytes, PIL images or arrays (see images.decode.as_image), and
    returns one row for each file or image given, also for those that could not be read.
    """

    def __init__(self, branches: Sequence[Branch], fusion: Fusion, source: str = "", trained_on: Sequence[str] = ()):
        self.branches, self.fusion, self.source = list(branches), fusion, source
        self.names = [branch.name for branch in self.branches]
        self.trained_on = dict.fromkeys(self.names, "") | dict(zip(self.names, trained_on, strict=False))

    def __repr__(self) -> str:
        cuts = [f"{name} above {cut:.4g}" for name, cut in zip(self.names, self.fusion.thresholds, strict=True)]
        return f"Detector(rule {self.fusion.rule} of {', '.join(cuts)}; {self.source or 'made of branches'})"

    @classmethod
    def from_run(cls, run: str = "latest", scale: str | None = None) -> Detector:
        """Load the branches behind a run of notebook 04. Raises Refused if there is none."""
        fusion = runs.load(stages.FUSION, run, scale)
        config = description.read(fusion.folder)
        source = f"run {fusion.name} of scale {fusion.scale}"
        return cls.described(config, description.of_run(fusion, config), source, fusion.scale)

    @classmethod
    def described(
        cls, config: description.Description, branches: Sequence[Branch], source: str, scale: str
    ) -> Detector:
        """The detector that a description is of, its branches loaded; `scale`: that of their runs, "" if not known."""
        usual = outside.DRAWN.format(scale) if scale in outside.SMALL else ""  # older descriptions do not say
        trained_on = [each.trained_on or usual for each in config.branches]
        return cls(branches, Fusion.from_dict(config.fusion), source, trained_on)

    @classmethod
    def found(cls, run: str = "") -> Detector:
        """The detector of a run, or the shipped one for "shipped"; for "" that of the latest run of the largest scale,
        else the shipped. A line says which. Runs of scale smoke only count where they are named.
        """
        scale = None if run else saved_runs.largest_scale(stages.FUSION)
        # A run that cannot be read is one, too: it is refused by name.
        any_run = scale or saved_runs.unreadable(stages.FUSION)
        shipped = run == "shipped" or (not run and not any_run)
        detector = cls.load() if shipped else cls.from_run(run or "latest", scale)
        print(f"judged by {detector}", file=sys.stderr, flush=True)
        return detector

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Detector:
        """Load a packed detector: `detector.json` beside a folder for each branch. Raises Refused."""
        shipped.check(Path(folder), "detector")
        config = description.read(Path(folder))
        folders = {each.name: Path(folder) / each.name for each in config.branches}
        source = "the shipped detector" if folder == SHIPPED else f"folder {paths.short(Path(folder))}"
        return cls.described(config, description.load(config, folders), source, "mini" if folder == SHIPPED else "")

    def __call__(self, images, batch_size: int = 32, cascade: bool = False) -> pd.DataFrame:
        """Columns image, <name>_score of each branch, reason, fused_score, verdict (1 fake, 0 real, <NA> unscored),
        fired, outside (the branches that were trained on nothing like it, joined by +, of those that know).

        An image that one branch cannot score has the others' scores, and a reason. With `cascade` slow branches come
        last and score only the images whose verdict they can change: the verdicts stay the same. `skipped` names the
        branches, joined by +, that did not score an image; it has no fused score.
        """
        return self.judged(_listed(images), batch_size, cascade)

    def judged(
        self,
        listed: Listed,
        batch_size: int = 32,
        cascade: bool = False,
        label: str = "judging images",
        copies: Copies | None = None,
    ) -> pd.DataFrame:
        """`__call__` for (name, image) pairs; the image is an Unreadable where a reason is known already. `copies`: as
        of scoring.scored.
        """
        sheet, batches, order = _Sheet(self, len(listed)), _batches(listed, batch_size), self.branches
        if cascade:
            order = sorted(order, key=lambda branch: getattr(branch, "slow", False))
        looks, wanted = partial(scoring.plain_looks, order), sheet.undecided if cascade else None
        label = label if len(batches) > 1 else ""
        for part in scoring.scored(batches, looks, batch_size, label, wanted, copies):
            for score in part:
                sheet.note(score)
        table = sheet.table([name for name, _ in listed])
        return table if cascade else table.drop(columns="skipped")

    def remark(self, table: pd.DataFrame) -> str:
        """One line on what the branches were trained on, if images with a column `outside` are unlike it; else ""."""
        known = {branch.name for branch in self.branches if getattr(branch, "domain", None)}
        return outside.remark(table["outside"], self.trained_on, known)

    def savings(self, table: pd.DataFrame) -> str:
        """One line on a table with a column `skipped`: how many images each branch was spared."""
        counts = {name: int(outside.of(table["skipped"], name).sum()) for name in self.names}
        parts = [f"{registry.called(name)} on {count} of {len(table)}" for name, count in counts.items() if count]
        return f"not asked, since the verdict was certain: {', '.join(parts) or 'no branch, on any'} images"

    @property
    def explainer(self) -> Branch:
        """The first branch that explains its verdicts. Raises Refused if there is none."""
        found = next((branch for branch in self.branches if hasattr(branch, "explain")), None)
        if found is None:
            raise Refused("no branch of this detector explains its verdicts in words: ask for scores alone")
        return found

    def explain(self, images, batch_size: int = 32) -> list[str]:
        """Return one sentence in the explainer's words for each file or image, "" where it cannot look at it, or was
        trained on nothing like it: its words would mean nothing.
        """
        branch, listed = self.explainer, _listed(images)
        threshold = self.fusion.thresholds[self.names.index(branch.name)]
        batches, sentences = _batches(listed, batch_size), [""] * len(listed)
        label = "explaining verdicts" if len(batches) > 1 else ""
        for batch in Feed(batches, lambda item, rgb: attempt(branch.prepare, rgb, item.source), label):
            views = {item.name: view for item, view in batch if not isinstance(view, Exception)}
            results = zip(views, each(partial(scoring.judged, branch), list(views.values())), strict=True)
            judged = [(place, *result) for place, result in results if not isinstance(result, Exception)]
            inside = {place: score > threshold for place, score, outside in judged if not outside}
            said = branch.explain([views[place] for place in inside], list(inside.values()))
            for place, text in zip(inside, said, strict=True):
                sentences[place] = text
        return sentences


@cache
def of_process(run: str) -> Detector:
    """The detector that `found` gives, loaded once by this process: for workers that judge many parts."""
    return Detector.found(run)


class _Sheet:
    """What is known of images while they are judged, by place: scores [n, k], reasons, strange and skipped branches."""

    def __init__(self, detector: Detector, count: int) -> None:
        self.fusion, self.names = detector.fusion, detector.names
        self.scores = np.full((count, len(self.names)), np.nan)
        self.reasons, self.strange, self.skipped = ([dict[str | None, str]() for _ in range(count)] for _ in range(3))

    def note(self, score: scoring.Score) -> None:
        """Note one score, or why there is none."""
        if score.reason:
            self.reasons[score.name][score.key] = score.reason
        else:
            self.scores[score.name, self.names.index(score.key)] = score.value
            self.strange[score.name] |= {score.key: ""} if score.outside else {}

    def undecided(self, name: str, places: list[int]) -> np.ndarray:
        """Whether the branch `name` can change the verdict on the images at `places`, bool [n]; notes where not."""
        low, high = self.fusion.bounds(self.scores[places])
        useful = (low != high) & [not self.reasons[place] for place in places]
        for place in np.array(places)[~useful]:
            self.skipped[place][name] = ""
        return useful

    def table(self, images: list[str]) -> pd.DataFrame:
        """The columns of Detector.__call__, `skipped` included: there the verdict is certain without all scores."""
        rows = pd.DataFrame({"image": images}).assign(**dict(zip(join.columns(self.names), self.scores.T, strict=True)))
        rows["reason"] = [join.reason(found, self.names) for found in self.reasons]
        table = join.fuse(rows, self.fusion, self.names)
        for column, named in (("outside", self.strange), ("skipped", self.skipped)):
            table[column] = ["+".join(sorted(each, key=self.names.index)) for each in named]
        certain = ((table["skipped"] != "") & (table["reason"] == "")).to_numpy()
        table.loc[certain, "verdict"] = self.fusion.bounds(self.scores[certain])[0]
        return table


def _listed(images) -> Listed:
    """(name, image) pairs, an Unreadable for a file that is not tried; single images are taken as a list of one.

    Folders are walked. Texts name files as filenames.spelled writes them, and so do the names that come back.
    """
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":  # of paths, as a column of a table gives them
        images = images.tolist()
    if isinstance(images, (str, Path, bytes, np.ndarray)) or not isinstance(images, Iterable):
        images = [images]
    listed: list[tuple[str, object]] = []
    for i, image in enumerate(images):
        if not isinstance(image, (str, Path)):
            listed.append((f"image {i}", image))
            continue
        for file, why in folders.found(filenames.true(image)):
            listed.append((filenames.spelled(file), decode.Unreadable(why) if why else Path(file)))
    return listed


def _batches(listed: Listed, size: int) -> list[list[Item]]:
    """Return the images, named by their places, `size` at a time."""
    reasons = [str(image) if isinstance(image, decode.Unreadable) else "" for _, image in listed]
    return batched([Item(place, listed[place][1], why) for place, why in enumerate(reasons)], size)
