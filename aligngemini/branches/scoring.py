"""The one loop that scores images: each is read once, for all branches, and one that fails loses its own score alone.

Only what the branches look at is in memory, never a batch of whole images.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL.Image import Image

from aligngemini.core.copies import Copies
from aligngemini.images import decode
from aligngemini.images.failures import HOPELESS, Failures, attempt, each, reason
from aligngemini.images.feed import Feed, Item, batched, items
from aligngemini.scores import table as score_table

from . import registry
from .branch import Branch

PIXELS = 32_000_000  # of the views that go through a model at once: ours


class Look(NamedTuple):
    """One look at an image: what its score is noted under, the branch (its `name` and `p_fake` are used), how its view
    is made, and a size: views of one branch and size go through the model together.
    """

    key: Hashable
    branch: Branch
    view: Callable[[], object]
    size: int = 0


class Score(NamedTuple):
    """p(fake) of an image under a look's key, NaN with a reason; the key is None for an image that cannot be read.
    outside: whether it is unlike all that the branch was trained on, None where that is not known.
    """

    name: Hashable
    key: Hashable
    value: float
    reason: str = ""
    outside: bool | None = None


def scored(
    batches: Sequence[Sequence[Item]],
    looks: Callable[[Item, np.ndarray], Iterable[Look]],
    batch_size: int,
    label: str = "",
    wanted: Callable[[Hashable, list[Hashable]], Iterable[bool]] | None = None,
    copies: Copies | None = None,
    read: Callable[[Any], np.ndarray] = decode.pixels,
) -> Iterator[list[Score]]:
    """Yield the scores of batches of images, as soon as they are there. A branch scores at most `batch_size` views at
    once.

    `looks(item, rgb)` are made one after the other, of uint8 [H, W, 3], which `read` gives of a source.
    `wanted(key, names)` says which of a batch's images are scored under a look's key; it is asked when the looks before
    have their scores.
    Without it, branches that can be copied score on all GPUs; `copies` keeps their copies for further calls. Raises
    what is not about one image: see images.failures.
    """
    failures = Failures()
    with nullcontext(copies) if copies else Copies(1 if wanted else len(batches)) as copies:

        def work(batch: list) -> Iterable[list[Score]]:
            parts = _batch_scores(batch, batch_size, failures, copies, wanted)
            return parts if len(copies.devices) == 1 else list(parts)  # a thread finishes its batch

        options = {"read": read, "through": partial(copies.in_order, work)}
        for parts in Feed(batches, lambda item, rgb: [_made(look) for look in looks(item, rgb)], label, **options):
            yield from parts
            failures.check(HOPELESS)
    failures.check()


def _made(look: Look) -> Look:
    """The look with its view, or the exception that making it raised, in place of how it is made."""
    return look._replace(view=attempt(look.view))


def _batch_scores(batch: list, batch_size: int, failures: Failures, copies: Copies, wanted) -> Iterator[list[Score]]:
    """Scores of what Feed yields: views of one branch and size go together."""
    unread = [(item, got) for item, got in batch if isinstance(got, Exception)]
    yield [Score(item.name, None, np.nan, reason("it cannot be read", got)) for item, got in unread]
    groups: dict[tuple[Branch, int], list[tuple[Hashable, Look]]] = {}
    for item, got in batch:
        for look in () if isinstance(got, Exception) else got:
            groups.setdefault((look.branch, look.size), []).append((item.name, look))
    for (branch, _), members in groups.items():
        for part in _parts(_wanted(members, wanted), batch_size):
            results = each(partial(copies.use, branch, judged), [look.view for _, look in part])
            failures.note(branch.name, results)
            yield [_score(name, look, result) for (name, look), result in zip(part, results, strict=True)]


def _parts(members: list[tuple[Hashable, Look]], batch_size: int) -> Iterator[list[tuple[Hashable, Look]]]:
    """The looks that go through a model at once: at most `batch_size`, and of large views fewer."""
    part, pixels = [], 0
    for member in members:
        view = member[1].view
        more = view.width * view.height if isinstance(view, Image) else math.prod(getattr(view, "shape", ())) // 3
        if part and (len(part) == batch_size or pixels + more > PIXELS):
            yield part
            part, pixels = [], 0
        part.append(member)
        pixels += more
    if part:
        yield part


def _wanted(members: list[tuple[Hashable, Look]], wanted) -> list[tuple[Hashable, Look]]:
    """The looks of one branch that are wanted, and those that failed: why an image has no score is always said."""
    failed = [member for member in members if isinstance(member[1].view, Exception)]
    good = [member for member in members if not isinstance(member[1].view, Exception)]
    if wanted is None or not good:
        return members
    answers = wanted(good[0][1].key, [name for name, _ in good])
    return failed + [member for member, answer in zip(good, answers, strict=True) if answer]


def judged(branch: Branch, views: list) -> list[tuple[float, bool | None]]:
    """p(fake) of each view, and whether it is unlike all that the branch was trained on, None where that is unknown."""
    judge = getattr(branch, "judge", None)
    p_fake, outside = judge(views) if judge else (branch.p_fake(views), [None] * len(views))
    return list(zip(p_fake, outside, strict=True))


def _score(name: Hashable, look: Look, result: Any) -> Score:
    who = registry.called(look.branch.name)
    if isinstance(result, Exception):
        return Score(name, look.key, np.nan, reason(f"{who} cannot score it", result))
    value, outside = result
    if not 0 <= value <= 1:
        return Score(name, look.key, np.nan, f"{who} gives no score from 0 to 1 (it gives {float(value):g})")
    return Score(name, look.key, float(value), outside=outside)


def plain_looks(branches: Iterable[Branch], item: Item, rgb: np.ndarray) -> list[Look]:
    """One look by each branch at an image as it is, under the branch's name."""
    return [Look(each.name, each, partial(each.prepare, rgb, item.source)) for each in branches]


def table(images: pd.DataFrame, branch: Branch, supervision: str, batch_size: int, kept=None) -> pd.DataFrame:
    """The score table of every distinct image of an image table, by one branch.

    `kept` remembers scores (score_cache.Scores): those it knows are not computed again, and a killed call leaves
    what it had. Batches are the same whatever is known, so that the scores are, too.
    """
    everything, reasons = items(images), {}
    known = kept.recall(branch.name, supervision).to_dict() if kept else {}
    batches = [[item for item in part if item.name not in known] for part in batched(everything, batch_size)]
    title = f"scoring with {registry.called(branch.name)}"
    try:
        for part in scored(batches, partial(plain_looks, [branch]), batch_size, title):
            new = {score.name: score.value for score in part if not score.reason}
            known |= new
            reasons |= {score.name: score.reason for score in part if score.reason}
            if kept:
                kept.note(branch.name, supervision, new)
    finally:
        if kept:
            kept.write()
    names = [item.name for item in everything]
    values = [known.get(name, np.nan) for name in names]
    return score_table.make(names, values, branch.name, supervision, [reasons.get(name, "") for name in names])
