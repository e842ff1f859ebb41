"""What a detector is: an object that gives every image p(fake) in [0, 1]."""

from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np


class Branch(Protocol):
    """A detector. `kind` is its line in the registry; `name` heads its columns in tables, `<name>_score`."""

    kind: ClassVar[str]
    name: str
    crop: int  # side of the square that it looks at, px; 0 for the whole image

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> object:
        """What it looks at of uint8 [H, W, 3], in memory of its own. Raises Unreadable where it cannot look.

        `source` is the file that the pixels are those of, None if something was done to them since; `crop` is another
        side than its own, px (0: its own).
        """
        ...

    def p_fake(self, views: list) -> np.ndarray:
        """p(fake), float64 [n] in [0, 1], for n > 0 of what `prepare` gave with one crop."""
        ...

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """All that its scores depend on, fit for JSON: base, revision, adapter, numbers, code. A key for caches."""
        ...

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str) -> Self:
        """The branch from `facts` and the files of `folder`. Raises Refused where they do not fit."""
        ...


class Judges(Protocol):
    """A branch that also says which images are unlike those that it was trained on; see branches.domain."""

    def judge(self, views: list) -> tuple[np.ndarray, list[bool | None]]:
        """`p_fake`, and whether each view is unlike all training images, None where that is not known."""
        ...


class Explains(Protocol):
    """A branch that can also say why, in words."""

    def explain(self, views: list, fake: list[bool]) -> list[str]:
        """One sentence for each view, given its verdict; "" where it has none."""
        ...


class Trained(Protocol):
    """A branch that a notebook trains: what `load` needs comes from a complete run."""

    @staticmethod
    def facts(run) -> dict[str, Any]:
        """What `load` needs beside the run's `adapter` folder, fit for JSON."""
        ...


class Fitted(Protocol):
    """A branch without a notebook: what `load` needs is made within notebook 04."""

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """Write what `load` needs into the folder `out`, from a complete data run and perhaps a `source` (its file or
        options, "" for none); return the facts for `load`, fit for JSON. Long training resumes from `checkpoints`.
        Raises Refused.
        """
        ...
