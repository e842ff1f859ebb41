"""Scoring a benchmark on a cluster: every node scores a share of the images into the store that all of them see."""

from functools import partial

import pandas as pd

from aligngemini.branches.score_cache import Scores
from aligngemini.core.cluster import Cluster
from aligngemini.detector import of_process

from .benchmark import Benchmark
from .scoring import Reasons
from .verdicts import Bench, View

IMAGES = 2_000  # of one call


def score(bench: Bench, views: list[View], run: str, nodes: Cluster | None) -> None:
    """`bench.score`, in this process or by the detector of `run` on the nodes. Raises DiskFull."""
    if nodes is None:
        return bench.score(views)
    rows = bench.benchmark.rows
    shares = rows.groupby(pd.factorize(rows["image_id"])[0] // IMAGES)  # all rows of an image together
    benchmarks = (bench.benchmark._replace(rows=share, left_out=share[:0]) for _, share in shares)
    for reasons in nodes.each(partial(_scored, each, views, run) for each in benchmarks):
        bench.reasons |= reasons


def _scored(benchmark: Benchmark, views: list[View], run: str) -> Reasons:
    """Score a share on a node; why some of it has no score comes back."""
    bench = Bench(benchmark, of_process(run), Scores())
    bench.score(views)
    return bench.reasons
