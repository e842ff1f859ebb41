"""A Ray cluster of three nodes on this machine, for tests: each with one processor and little memory."""

import os

import pytest

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "memory": 2**30}


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """The cluster; its nodes inherit the environment as it is by then."""
    pytest.importorskip("ray", reason="Ray is an optional extra: pip install -e '.[ray]'")
    from ray import shutdown
    from ray.cluster_utils import Cluster

    # Every process of Ray would spend seconds on a grammar of addresses that jsonschema does without.
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "rfc3987_syntax.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "quick"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's 15 leaves a busy machine nothing for kernels
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    head = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True, **NODE}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            made.add_node(**NODE)
        yield made
    finally:
        shutdown()
        made.shutdown()
