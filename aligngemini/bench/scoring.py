"""Score what is not known yet: every picture is decoded once, whatever the protocols, perturbations and branches."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..images import protocols
from ..images.feed import Feed
from .remembered import Scores

CONSTANT = "constant"


class Job(NamedTuple):
    """One look at a picture: by which branch (or CONSTANT), known by which digest, at what crop, after which steps."""

    branch: str
    model: str
    crop: int
    steps: protocols.Treatment

    @property
    def kind(self) -> tuple[str, str]:
        """What its scores are remembered under."""
        return self.model, protocols.spelled(self.steps)


@dataclass
class Looks(Feed):
    """Yields, for each picture, job -> what its branch looks at; `jobs` says which, by image_id."""

    jobs: Mapping[str, tuple[Job, ...]] = field(default_factory=dict)
    view: Callable | None = None

    def prepared(self, row, rgb: np.ndarray) -> dict[Job, object]:
        """All looks at one picture, uint8 [H, W, 3]; pictures that are treated alike are treated once."""
        pixels, looks = {}, {}
        for job in self.jobs[row.image_id]:
            if job.branch == CONSTANT:
                looks[job] = protocols.constant(rgb)
                continue
            if job.steps not in pixels:
                pixels[job.steps] = protocols.treated(rgb, job.steps, row.image_id)
            looks[job] = self.view(job.branch, pixels[job.steps], job.crop)
        return looks


def score(detector, images: pd.DataFrame, wanted: Mapping[Job, Iterable[str]], store: Scores, batch_size: int = 32):
    """Score the image ids `wanted` of each job that `store` does not know; return image_id -> reason of unreadables.

    `images` has the columns image_id, path and reason. Looks at no more than about two batches are in memory at once.
    Raises DiskFull; what was scored before an interruption is kept.
    """
    jobs = lacking(wanted, store)
    table = images[images["image_id"].isin(jobs)]
    most = max(map(len, jobs.values()), default=1)
    feed = Looks(table, None, max(1, batch_size // most), "scoring pictures", jobs=jobs, view=detector.view)
    try:
        for ids, looks in feed if jobs else ():
            _note(detector, ids, looks, store, batch_size)
    finally:
        store.write()
    return feed.reasons


def lacking(wanted: Mapping[Job, Iterable[str]], store: Scores) -> dict[str, tuple[Job, ...]]:
    """The jobs still to do, by image_id."""
    found: dict[str, tuple[Job, ...]] = {}
    same: dict[tuple[Job, ...], tuple[Job, ...]] = {}  # most pictures lack the same: one tuple serves them all
    for job, ids in wanted.items():
        known = set(store.recall(*job.kind).index)
        for image_id in ids:
            if image_id not in known:
                longer = (*found.get(image_id, ()), job)
                found[image_id] = same.setdefault(longer, longer)
    return found


def _note(detector, ids: list[str], looks: list[dict], store: Scores, batch_size: int) -> None:
    """Score the looks at some pictures, those of one branch and crop together."""
    groups: dict[tuple[str, int], list[tuple[str, Job, object]]] = {}
    for image_id, own in zip(ids, looks, strict=True):
        for job, look in own.items():
            groups.setdefault((job.branch, job.crop), []).append((image_id, job, look))
    for (branch, _), items in groups.items():
        for at in range(0, len(items), batch_size):
            part = items[at : at + batch_size]
            seen = [look for _, _, look in part]
            scores = seen if branch == CONSTANT else detector.p_fake(branch, seen)
            for (image_id, job, _), value in zip(part, scores, strict=True):
                store.note(*job.kind, {image_id: float(value)})
