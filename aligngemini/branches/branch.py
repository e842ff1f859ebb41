"""What a detector is: an object that gives every image p(fake) in [0, 1]."""

from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np


class Branch(Protocol):
    """A detector. `kind` is its line in the registry; `name` heads its columns in tables, `<name>_score`.

    Some have more methods. A branch that a notebook trains: `facts(run)`, what `load` needs beside the run's `adapter`
    folder. One without a notebook: the class method `fit(source, data, out, checkpoints)`, which writes into `out` what
    `load` needs, from a complete data run and a `source` (its file or options, "" for none), and returns the facts for
    `load`, fit for JSON; long training resumes from `checkpoints`. One that knows which images are unlike those that it
    was trained on: `judge(views)`, p(fake) and that, None where it is not known. One that can say why: `explain(views,
    fake)`, a sentence for each view, given its verdict, "" where it has none. One that scores on several devices at
    once: `on(device)`, a copy of it on another torch.device (see core.copies).
    """

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
