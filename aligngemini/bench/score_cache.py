"""Scores that outlive a command: by content of the picture, what was done to it, and the model that looked.

Every command writes files of its own, whole or not at all, so that commands beside each other lose nothing and a
killed one leaves what it had. A damaged file is passed over, and its pictures are scored again. Where the folder cannot
be written to, scores last as long as the command.
"""

import tempfile
import time
import uuid
from pathlib import Path

import pandas as pd

from aligngemini.core import caches, fingerprint, manifest, paths

PAUSE = 30  # seconds between two writes: so much is lost when a command is killed without notice
ROWS = 5_000  # of one file; so many scores of each kind are kept in memory


class Scores:
    """Scores under `folder` (default: `scores` under the built data), as a mapping image_id -> float64 for each kind.

    A kind is a pair (model, treatment) of texts.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = Path(folder or paths.built() / "scores")
        self._spare: tempfile.TemporaryDirectory | None = None
        self._new: dict[tuple[str, str], dict[str, float]] = {}
        self._files: dict[tuple[str, str], str] = {}
        self._written = time.monotonic()

    def place(self, model: str, treatment: str, folder: Path | None = None) -> Path:
        """The folder of one kind."""
        names = model[: fingerprint.LENGTH], fingerprint.digest(treatment)[: fingerprint.LENGTH]
        return (folder or self.folder).joinpath(*names)

    def recall(self, model: str, treatment: str) -> pd.Series:
        """Every known score of a kind that is written, float64 by image_id."""
        homes = [self.folder, *([Path(self._spare.name)] if self._spare else [])]
        places = [self.place(model, treatment, home) for home in homes]
        parts = [_read(path) for place in places for path in sorted(place.glob("[!.]*.parquet"))]
        known = pd.concat([part for part in parts if len(part)] or [_read(None)], ignore_index=True)
        known = known[(known["model"] == model) & (known["treatment"] == treatment)]
        return known.drop_duplicates("image_id").set_index("image_id")["score"]

    def note(self, model: str, treatment: str, scores: dict[str, float]) -> None:
        """Remember scores by image_id; they are written now and then. Raises DiskFull."""
        kind = (model, treatment)
        self._new.setdefault(kind, {}).update(scores)
        if len(self._new[kind]) >= ROWS:
            self._write(kind)
            del self._new[kind], self._files[kind]
        if time.monotonic() - self._written > PAUSE:
            self.write()

    def write(self) -> None:
        """Write what is not written yet, all or nothing for each kind. Raises DiskFull."""
        for kind in self._new:
            self._write(kind)
        self._written = time.monotonic()

    def _write(self, kind: tuple[str, str]) -> None:
        name = self._files.setdefault(kind, f"{uuid.uuid4().hex}.parquet")
        table = pd.DataFrame(self._new[kind].items(), columns=["image_id", "score"])
        table = table.assign(model=kind[0], treatment=kind[1])
        with caches.optional(self.folder):
            return _replace(self.place(*kind) / name, table)
        self._spare = self._spare or tempfile.TemporaryDirectory()
        _replace(self.place(*kind, Path(self._spare.name)) / name, table)


def _read(path: Path | None) -> pd.DataFrame:
    """One file of scores; an empty table for none, or for a damaged one."""
    columns = ["image_id", "score", "model", "treatment"]
    table = caches.read(path) if path else None
    if table is not None and set(columns) <= set(table):
        table = table[columns].astype({"score": "float64"})
        return table[table["score"].between(0, 1)]
    return pd.DataFrame(columns=columns).astype({"score": "float64"})


def _replace(path: Path, table: pd.DataFrame) -> None:
    with manifest.room_on_disk(path.parent):
        caches.write(path, table)
