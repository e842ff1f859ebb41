"""The images of a benchmark: listed, known by content, without duplicates, sampled in an order that never changes."""

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.core.params import Refused, shown
from aligngemini.images import sources, table
from aligngemini.images.loaders import benchmark_rows, benchmarks, skips
from aligngemini.images.params import DataParams


class Benchmark(NamedTuple):
    """What a benchmark consists of.

    name: what tables call it; key: its key among the published numbers, "" for a folder or list of one's own; rows:
    the images that count (path, label, subset, generator, benchmark, image_id, width, height and more); left_out: path,
    subset, reason of the others.
    """

    name: str
    key: str
    rows: pd.DataFrame
    left_out: pd.DataFrame


def find(benchmark: str, root: str = "", reals: str = "", sample: int = 0) -> Benchmark:
    """Return the images of `benchmark`: a name, with its folder `root` and perhaps that of its real images, or a
    labelled folder, or a CSV list; relative paths start at the working folder.

    `sample` (0: all) takes so many of each class and subset by hash of their content. Raises Refused for what is not
    there, is no benchmark or has no image that counts.
    """
    if sample < 0:
        raise Refused(f"--sample counts pictures of each class and subset, 0 for all: {sample} is too few.")
    text = _text(benchmark, root, reals)
    name, _ = benchmark_rows.split(text)
    rows = sources.collect(DataParams(test=[text]))
    usable = (rows["reason"] == "") & rows["label"].isin((0, 1))
    if not usable.any():
        why = [*skips.lost(rows)["reason"], "none has a label"][0]
        raise Refused(f"No picture of {benchmark} counts: {why}.")
    left_out = rows.loc[~usable, ["path", "subset", "reason"]].replace({"reason": {"": "without a label"}})
    images = table.sample_each(rows[usable], sample, "bench").reset_index(drop=True)
    key = benchmarks.key(name) if name else ""
    return Benchmark(Path(rows["benchmark"].iloc[0]).name, key, images, left_out.reset_index(drop=True))


def _text(benchmark: str, root: str, reals: str) -> str:
    """Return the benchmark as notebook 01 writes it, with absolute paths."""
    if not benchmark:
        raise Refused("--benchmark is empty: give a name, a labelled folder or a CSV list.")
    if root:
        return ":".join([benchmark, *(str(Path(folder).absolute()) for folder in (root, reals) if folder)])
    place = Path(benchmark).absolute()
    if reals:
        raise Refused("--reals belongs to a benchmark by name: say --root DIR, too, or leave --reals out.")
    if not os.path.exists(place):
        raise Refused(
            f"{shown(benchmark)} is no folder or list that is there: for a benchmark by name, say --root DIR."
        )
    return str(place)
