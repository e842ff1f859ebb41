"""The batches of the recipes fit the GPUs that they are written for."""

import pytest

from aligngemini.rehearse import run, setting
from tests import gpu

pytestmark = gpu.needed
LARGE = 70  # GB: the paper recipes are for one GPU of 80


@pytest.mark.parametrize(
    "scale",
    [
        "mini",
        pytest.param("paper", marks=pytest.mark.skipif(gpu.memory() < LARGE, reason=f"needs a GPU of {LARGE} GB")),
    ],
)
def test_every_stage_runs_in_the_batches_of_its_recipe(scale):
    rows = list(run.measured(setting.make(scale), "cuda", 1))
    assert {row["stage"] for row in rows} >= {"reconstruction", "expert training", "verdict scoring", "DPO"}
    for row in rows:
        assert row["fits"], f"{row['stage']} in batches of {row['batch']} does not fit: lower {row['lower']}"
        assert 0 <= row["peak, GB"] < gpu.memory()
