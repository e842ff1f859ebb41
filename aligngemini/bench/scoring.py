"""Score what is not known yet: every picture is decoded once, whatever the protocols, perturbations and branches."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from aligngemini.branches import scoring
from aligngemini.branches.branch import Branch
from aligngemini.images import feed, protocols
from aligngemini.images.failures import attempt
from aligngemini.images.header import Unreadable

from .score_cache import Scores


class NearConstant:
    """Asks whether an image is near-constant, in the way that branches are asked: its score is 0 or 1."""

    kind = name = "near-constant"  # no branch is called so: their names have no hyphen
    crop = 0

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> bool:
        """The answer."""
        return protocols.constant(rgb)

    def p_fake(self, views: list[bool]) -> np.ndarray:
        """The answers as float64 [n]."""
        return np.array(views, dtype=np.float64)

    def identity(self, crop: int = 0) -> dict:
        """It depends on the pixels alone."""
        return {"branch": self.kind}


class Job(NamedTuple):
    """One look at a picture: by which branch, known by which digest, at what crop, after which steps."""

    branch: Branch
    model: str
    crop: int
    steps: protocols.Treatment

    @property
    def kind(self) -> tuple[str, str]:
        """What its scores are remembered under."""
        return self.model, protocols.spelled(self.steps)


Reasons = dict[tuple[str, tuple[str, str] | None], str]


def score(images: pd.DataFrame, wanted: Mapping[Job, Iterable[str]], store: Scores, batch_size: int = 32) -> Reasons:
    """Score the image ids `wanted` of each job that `store` does not know; return (image_id, kind) -> reason of what
    has no score, with None for the kind of an image that cannot be read.

    `images` has the columns image_id, path and reason. Looks at no more than about two batches are in memory at once.
    Raises DiskFull; what was scored before an interruption is kept.
    """
    blind = {job: why for job in wanted if (why := _blind(job))}
    reasons: Reasons = {(image_id, job.kind): why for job, why in blind.items() for image_id in wanted[job]}
    jobs = lacking({job: ids for job, ids in wanted.items() if job not in blind}, store)
    size = max(1, batch_size // max(map(len, jobs.values()), default=1))
    batches = feed.batched(feed.items(images[images["image_id"].isin(jobs)]), size)
    label = "scoring pictures" if batches else ""
    try:
        for part in scoring.scored(batches, lambda item, rgb: _looks(jobs[item.name], item, rgb), batch_size, label):
            for name, job, value, reason in part:
                if reason:
                    reasons[name, job and job.kind] = reason
                else:
                    store.note(*job.kind, {name: value})
    finally:
        store.write()
    return reasons


def _blind(job: Job) -> str:
    """Why a branch that knows files alone has no score of any picture whose pixels were changed; "" for all others."""
    if not job.steps or not getattr(job.branch, "knows_files", False):
        return ""
    answer = attempt(job.branch.prepare, np.zeros((1, 1, 3), np.uint8))
    return str(answer) if isinstance(answer, Unreadable) else ""


def _looks(jobs: Iterable[Job], item: feed.Item, rgb: np.ndarray) -> Iterator[scoring.Look]:
    """A look for each job; those that treat the picture alike come together, and it is treated once for them. What is
    not treated still has the pixels of its file."""
    by_steps: dict[protocols.Treatment, list[Job]] = {}
    for job in jobs:
        by_steps.setdefault(job.steps, []).append(job)
    for steps, alike in by_steps.items():
        pixels = attempt(protocols.treated, rgb, steps, item.name)
        source = None if steps else item.source
        for job in alike:
            yield scoring.Look(job, job.branch, partial(_view, job, pixels, source), job.crop)


def _view(job: Job, pixels: np.ndarray | Exception, source: object) -> object:
    if isinstance(pixels, Exception):
        raise pixels
    return job.branch.prepare(pixels, source, job.crop)


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
