"""Scales at true size: what is told of memory is that of the commands."""

import resource
from pathlib import Path

import pytest

from tests.true_size import build

LARGE = 400_000_000  # bytes


def _make(base: str, home: Path) -> None:
    (home / base).mkdir(parents=True)
    (home / base / "size").write_text(str(len(bytes(LARGE).replace(b"\0", b"1"))))


@pytest.mark.slow
def test_building_a_model_leaves_no_peak_to_the_commands_that_follow(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    build(_make, "owner/model", tmp_path / "hub", tmp_path)
    assert (tmp_path / "hub" / "owner" / "model" / "size").read_text() == str(LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGE / 2000  # kB
