"""Scores that outlive a command: by content of the image, what was done to it, and the model that looked.

Every command writes files of its own, whole or not at all, so that commands beside each other lose nothing and a
killed one leaves what it had. A damaged file is passed over, and its images are scored again. Where the folder cannot
be written to, scores last as long as the command.
"""

import time
import uuid
from pathlib import Path

import pandas as pd

from aligngemini.core import caches, fingerprint, manifest, paths

PAUSE = 30  # seconds between two writes: so much is lost when a command is killed without notice
ROWS = 5_000  # of one file; so many scores of each kind are kept in memory
COLUMNS = ["image_id", "score", "model", "treatment"]


class Scores:
    """Scores under `folder` (default: `scores` under the built data), as a mapping image_id -> float64 for each kind.

    A kind is a pair (model, treatment) of texts.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = Path(folder or paths.built() / "scores")
        self._new: dict[tuple[str, str], dict[str, float]] = {}
        self._files: dict[tuple[str, str], Path] = {}
        self._written = time.monotonic()

    def recall(self, model: str, treatment: str) -> pd.Series:
        """Return every known score of a kind, float64 by image_id."""
        parts = [caches.read(path) for path in sorted(self._home(model, treatment).glob("[!.]*.parquet"))]
        whole = [part for part in parts if part is not None and set(COLUMNS) <= set(part)]
        known = pd.concat([self._table(model, treatment), *whole], ignore_index=True)
        known = known.loc[(known["model"] == model) & (known["treatment"] == treatment) & known["score"].between(0, 1)]
        return known.drop_duplicates("image_id").set_index("image_id")["score"]

    def note(self, model: str, treatment: str, scores: dict[str, float]) -> None:
        """Remember scores by image_id; they are written now and then. Raises DiskFull."""
        self._new.setdefault((model, treatment), {}).update(scores)
        if time.monotonic() - self._written > PAUSE:
            self.write()

    def write(self) -> None:
        """Write what is not written yet, all or nothing for each kind. Raises DiskFull."""
        for kind in list(self._new):
            file = self._files.setdefault(kind, self._home(*kind) / f"{uuid.uuid4().hex}.parquet")
            with caches.optional(self.folder), manifest.room_on_disk(self.folder):
                caches.write(file, self._table(*kind))
                if len(self._new[kind]) >= ROWS:
                    del self._new[kind], self._files[kind]
        self._written = time.monotonic()

    def _home(self, model: str, treatment: str) -> Path:
        return self.folder / model[: fingerprint.LENGTH] / fingerprint.digest(treatment)[: fingerprint.LENGTH]

    def _table(self, model: str, treatment: str) -> pd.DataFrame:
        """Return the scores of a kind that are in memory."""
        table = pd.DataFrame(self._new.get((model, treatment), {}).items(), columns=["image_id", "score"])
        return table.astype({"score": "float64"}).assign(model=model, treatment=treatment)
