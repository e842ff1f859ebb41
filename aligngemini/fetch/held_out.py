"""A list of test pictures: some of each class of the fetched sources, which notebook 01 then keeps from training.

They are of the sources that train: a detector that fails on them has learned nothing, one that does not has shown
nothing about other generators.
"""

from argparse import Namespace
from pathlib import Path

import pandas as pd

from aligngemini.core import atomic, paths, seeds
from aligngemini.core.params import Refused

from . import record

RIGHTS = ""  # those of the pictures
SOURCES = {"unsplash": 0, "echo4o": 1}  # labels
COUNT = 200  # pictures of each class: ours


def offer(root: Path, args: Namespace) -> record.Offer:
    """A list costs nothing."""
    return record.Offer("pictures of unsplash and echo4o", 0, "as theirs")


def fetch(root: Path, args: Namespace) -> dict[str, str]:
    """Write the list, unless there is one whose pictures are all there. Raises Refused without the sources."""
    if check(root, quick=True).word == record.COMPLETE:
        return {}
    rows = []
    for source, label in SOURCES.items():
        names = [str(Path(path).relative_to(root)) for path in record.images(root / source)]
        if len(names) < COUNT:
            raise Refused(f"held_out takes {COUNT} pictures of {source}, which has {len(names)}: fetch {source} first")
        rows += [(name, label, "held_out") for name in seeds.ranked(names, "held out")[:COUNT]]
    atomic.write(_list(root), pd.DataFrame(rows, columns=["path", "label", "subset"]).to_csv(index=False))
    return {}


def check(root: Path, quick: bool) -> record.State:
    """Whether there is a list, and all of its pictures."""
    if not _list(root).is_file():
        return record.State(record.MISSING, f"no {paths.short(_list(root))}")
    there = {name: "" if (root / name).is_file() else "missing" for name in pd.read_csv(_list(root))["path"]}
    return record.of_files(there)


def _list(root: Path) -> Path:
    return root / "held_out.csv"
