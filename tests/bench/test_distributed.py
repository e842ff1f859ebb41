"""A benchmark that nodes of a cluster score: the same tables, and every image once."""

import pickle
import shutil

import pandas as pd
import pytest

from aligngemini import detector as detectors
from aligngemini.bench import run
from aligngemini.core import cluster
from tests.ray_nodes import nodes

__all__ = ["nodes"]


@pytest.fixture
def two(monkeypatch):
    """Two nodes that are this process: what they are sent has been packed, and so has what they answer."""
    detectors.of_process.cache_clear()
    calls = []

    class Nodes(cluster.Cluster):
        jobs = 2

        def __init__(self):
            pass

        def call(self, function, *given, stopped):
            calls.append(function)
            return pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(function))(*given)))

    answers = {"ray": Nodes(), "local": None}
    monkeypatch.setattr(cluster, "asked", lambda args: answers[args.executor])
    yield calls
    detectors.of_process.cache_clear()


def test_a_benchmark_that_nodes_score_has_the_tables_of_one_that_is_scored_here(
    benchmark, detector, bench, tmp_path, looked, two, monkeypatch
):
    monkeypatch.setattr(run, "IMAGES", 3)
    detector.branches[0].refuses = lambda rgb: "it is dark" if rgb[..., 0].mean() < 28 else ""
    words = "--protocol", "native,aligned:16"
    assert bench(benchmark, *words, "--executor", "ray") == 3 and len(two) == 3
    there = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")}
    assert looked["expert"] == 8 * 2, "one look at each picture under each protocol"
    (tmp_path / "built" / "scores").rename(tmp_path / "elsewhere")
    assert bench(benchmark, *words) == 3 and len(two) == 3
    assert there == {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")}
    assert b"it is dark" in there["left_out.csv"]


@pytest.mark.slow
def test_a_benchmark_on_a_ray_cluster_has_the_tables_of_one_that_is_scored_here(bench, tmp_path, monkeypatch, request):
    for file in (detectors.SHIPPED / "known").glob("*.jpg"):
        folder = tmp_path / "set" / "g" / ("0_real" if "none" in file.name else "1_fake")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    monkeypatch.setattr(run, "IMAGES", 4)
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    words, tables = ("--run", "shipped", "--protocol", "native"), []
    for place in ("there", "here"):
        monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / place))
        ray = ["--executor", "ray", "--address", request.getfixturevalue("nodes").address] if place == "there" else []
        assert bench(tmp_path / "set", *words, *ray) == 0
        tables.append({path.name: pd.read_csv(path) for path in (tmp_path / "out").glob("*.csv")})
    assert tables[0].keys() == tables[1].keys() and "expert" in set(tables[0]["measures.csv"].model)
    for name, table in tables[0].items():  # the last digits of a score may depend on how many are computed at once
        pd.testing.assert_frame_equal(table, tables[1][name], rtol=1e-4)
