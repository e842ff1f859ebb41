"""Feed a model: every distinct image of a table is read once, in threads, while the model works on the batch before."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..workbook.progress import progress
from . import decode


@dataclass
class Feed:
    """Batches of prepared images of a table; what could not be read is in `reasons` (image_id -> reason) afterwards."""

    table: pd.DataFrame
    prepare: Callable[[np.ndarray], object]
    batch_size: int
    label: str
    workers: int = 2
    reasons: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[list[str], list]]:
        """Yield (image ids, prepared images), at most `batch_size` at a time; two batches are in memory at once."""
        rows = self.table.drop_duplicates("image_id")
        chunks = [rows.iloc[at : at + self.batch_size] for at in range(0, len(rows), self.batch_size)]
        with ThreadPoolExecutor(self.workers) as pool:
            ahead = self._ask(pool, chunks[0]) if chunks else []
            for i in progress(range(len(chunks)), self.label, len(rows), self.batch_size):
                asked, ahead = ahead, self._ask(pool, chunks[i + 1]) if i + 1 < len(chunks) else []
                found = [(image_id, future.result()) for image_id, future in asked]
                good = [(image_id, picture) for image_id, picture in found if picture is not None]
                if good:
                    yield [image_id for image_id, _ in good], [picture for _, picture in good]

    def prepared(self, row, rgb: np.ndarray):
        """What is yielded of a row of the table and its picture, uint8 [H, W, 3]; a feed of rows overrides it."""
        return self.prepare(rgb)

    def _ask(self, pool: ThreadPoolExecutor, chunk: pd.DataFrame) -> list:
        return [(row.image_id, pool.submit(self._one, row)) for row in chunk.itertuples()]

    def _one(self, row):
        """One prepared image, or None with its reason noted."""
        try:
            if row.reason:
                raise decode.Unreadable(row.reason)
            return self.prepared(row, decode.read(row.path).rgb)
        except decode.Unreadable as unreadable:
            self.reasons[row.image_id] = str(unreadable)
            return None


def scored(table: pd.DataFrame, scores: dict[str, float], reasons: dict[str, str]) -> pd.DataFrame:
    """Columns image_id, score (NaN where there is none) and reason, one row per distinct image of `table`."""
    ids = table.drop_duplicates("image_id").image_id
    frame = pd.DataFrame({"image_id": ids, "score": ids.map(scores).astype(float)}).reset_index(drop=True)
    return frame.assign(reason=[reasons.get(image, "") for image in frame.image_id])
