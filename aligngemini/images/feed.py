"""Feed a model: every image is read once, in threads, while the model works on the batch before."""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from aligngemini.core.progress import progress

from . import decode
from .failures import attempt
from .header import contents, opened

WORKERS = min(8, max(2, os.cpu_count() or 2))  # threads: a GPU scores faster than two of them read
LARGE = 4_000_000  # pixels; of images larger than this one at a time is in memory
_one_at_a_time = Lock()


class Item(NamedTuple):
    """An image to read: a name of its own, a path, bytes or whatever `Feed.read` takes, and why it cannot be read."""

    name: Hashable
    source: object
    reason: str = ""


@dataclass
class Feed:
    """Batches of prepared images. `read` gives uint8 [H, W, 3] of a source or raises Unreadable; `prepare` is called
    with the item and that array, and must not keep a view of it: only so are large images let go.
    """

    batches: Sequence[Sequence[Item]]
    prepare: Callable[[Item, np.ndarray], object]
    label: str = ""  # of the progress, "" for none
    read: Callable[[Any], np.ndarray] = decode.pixels
    workers: int = WORKERS
    through: Callable[[Iterator[list]], Iterator] = iter  # what is done with the batches, in order

    def __iter__(self) -> Iterator:
        """Yield each batch as pairs of an item and what was prepared of it, or the exception that reading it raised;
        or what it becomes by `through`. Two batches are in memory at once, and those that `through` takes ahead."""
        sizes = [len(batch) for batch in self.batches]
        with ThreadPoolExecutor(self.workers) as pool:
            results = self.through(self._batches(pool))
            yield from progress(results, self.label, sum(sizes), max(sizes, default=1)) if self.label else results

    def _batches(self, pool: Executor) -> Iterator[list[tuple[Item, Any]]]:
        current = None
        for batch in (*self.batches, ()):
            following = [(item, pool.submit(attempt, self._prepared, item)) for item in batch]
            if current is not None:
                yield [(item, future.result()) for item, future in current]
                current.clear()  # a future keeps its result
            current = following

    def _prepared(self, item: Item) -> object:
        if item.reason:
            raise decode.Unreadable(item.reason)
        source = contents(item.source) if isinstance(item.source, str | Path) else item.source
        with _one_at_a_time if _pixels(source) > LARGE else nullcontext():
            return self.prepare(item, self.read(source))


def _pixels(source: object) -> int:
    """Pixels that encoded bytes unpack to; 0 for what is no bytes."""
    if not isinstance(source, bytes):
        return 0
    with opened(source) as image:
        return image.width * image.height


def items(images: pd.DataFrame) -> list[Item]:
    """One item for each distinct image of an image table."""
    rows = images.drop_duplicates("image_id")
    return [Item(row.image_id, row.path, row.reason or "") for row in rows.itertuples()]


def batched(everything: Sequence, size: int) -> list[list]:
    """The items in order, `size` at a time."""
    return [list(everything[at : at + size]) for at in range(0, len(everything), size)]
