"""Score what is not known yet: every image is decoded once, whatever the protocols, perturbations and branches."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from aligngemini.branches import scoring
from aligngemini.branches.branch import Branch
from aligngemini.branches.score_cache import Scores
from aligngemini.core import fingerprint
from aligngemini.images import feed, header, protocols
from aligngemini.images.failures import attempt
from aligngemini.images.header import Unreadable

PIXELS = ("aligngemini.images.decode", "aligngemini.images.protocols")


class NearConstant:
    """Whether an image is near-constant, asked in the way that branches are asked: its score is 0 or 1."""

    kind = name = "near-constant"  # no branch is called so: their names have no hyphen
    crop = 0

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> bool:
        return protocols.constant(rgb)

    def p_fake(self, views: list[bool]) -> np.ndarray:
        return np.array(views, dtype=np.float64)

    def identity(self, crop: int = 0) -> dict:
        return {"branch": self.kind}


class Job(NamedTuple):
    """One look at an image: by which branch, known by which digest, at what crop, after which steps."""

    branch: Branch
    model: str
    crop: int
    steps: protocols.Treatment

    @property
    def kind(self) -> tuple[str, str]:
        """What its scores are remembered under."""
        return self.model, protocols.spelled(self.steps)

    @property
    def outside(self) -> tuple[str, str]:
        """What is remembered under this: 1 for images unlike all that the branch was trained on, 0 for others."""
        return self.model, f"{protocols.spelled(self.steps)}; outside"


Reasons = dict[tuple[str, tuple[str, str] | None], str]


def facts(branch: Branch, crop: int = 0) -> dict:
    """Return what the scores of a branch depend on, fit for JSON: its identity (crop in px, 0 for its own), and the
    code and codecs that make pixels of a file."""
    pixels = fingerprint.digest([header.CODECS, *map(fingerprint.of_module, PIXELS)])
    return branch.identity(crop) | {"pixels": pixels}


def score(images: pd.DataFrame, wanted: Mapping[Job, Iterable[str]], store: Scores, batch_size: int = 32) -> Reasons:
    """Score the image ids `wanted` of each job that `store` does not know; return (image_id, kind) -> reason of what
    has no score, with None for the kind of an image that cannot be read.

    `images` has the columns image_id, path and reason. Looks at no more than about two batches are in memory at once.
    Raises DiskFull; what was scored before an interruption is kept.
    """
    jobs: dict[str, list[Job]] = {}
    reasons: Reasons = {}
    for job, ids in wanted.items():
        known, why = store.recall(*job.kind).index, _refusal(job)
        if why:
            reasons |= {(image_id, job.kind): why for image_id in ids}
            continue
        for image_id in set(ids).difference(known):
            jobs.setdefault(image_id, []).append(job)
    size = max(1, batch_size // max(map(len, jobs.values()), default=1))
    batches = feed.batched(feed.items(images[images["image_id"].isin(jobs)]), size)
    label = "scoring pictures" if batches else ""
    try:
        for part in scoring.scored(batches, lambda item, rgb: _looks(jobs[item.name], item, rgb), batch_size, label):
            for name, job, value, reason, outside in part:
                if reason:
                    reasons[name, job and job.kind] = reason
                else:
                    store.note(*job.kind, {name: value})
                    if outside is not None:
                        store.note(*job.outside, {name: float(outside)})
    finally:
        store.write()
    return reasons


def _refusal(job: Job) -> str:
    """Return why a branch that knows files alone has no score of any image whose pixels were changed; "" for all
    others. No image has to be decoded for that."""
    if not job.steps or not getattr(job.branch, "knows_files", False):
        return ""
    answer = attempt(job.branch.prepare, np.zeros((1, 1, 3), np.uint8))
    return str(answer) if isinstance(answer, Unreadable) else ""


def _looks(jobs: Iterable[Job], item: feed.Item, rgb: np.ndarray) -> Iterator[scoring.Look]:
    """Yield a look for each job; those that treat the image alike come together, and it is treated once for them. What
    is not treated still has the pixels of its file."""
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
