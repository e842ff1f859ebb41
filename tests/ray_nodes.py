"""A Ray cluster of three nodes on this machine, for tests: each with one processor and little memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "memory": 2**30}


VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 leaves a busy machine nothing for kernels
    "OMP_NUM_THREADS": "1",
}


@contextmanager
def three(**more: int) -> Iterator[Any]:
    """A cluster of three nodes as NODE and `more` say, which inherit the environment; it ends with the block."""
    from ray import shutdown
    from ray.cluster_utils import Cluster

    node = NODE | more
    head = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True, **node}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            made.add_node(**node)
        yield made
    finally:
        shutdown()
        made.shutdown()


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """The cluster; its nodes inherit the environment as it is by then."""
    pytest.importorskip("ray", reason="Ray is an optional extra: pip install -e '.[ray]'")

    # Every process of Ray would spend seconds on a grammar of addresses that jsonschema does without.
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "rfc3987_syntax.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "quick"), os.environ.get("PYTHONPATH", "")]))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with three() as made:
        yield made
