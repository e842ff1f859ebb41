"""Notebook 02 with vision-language models of other families, by its parameters alone, all the way to scores."""

import json

import pandas as pd
import pytest

from aligngemini.core import stages
from tests import cells, families


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Outputs with a run of notebook 01, on which all others stand."""
    folder = tmp_path_factory.mktemp("outputs")
    cells.smoke(stages.DATA, folder)
    return folder


@pytest.mark.parametrize("family", ["qwen3_vl", "smolvlm", "gemma3"])
def test_notebook_02_trains_and_scores_with_a_tiny_model_of_the_family(outputs, tmp_path, family):
    base = families.write(family, tmp_path / family)
    cells.smoke(stages.VLM, outputs, base=str(base), supervision="semantic")
    found = [path for path in outputs.glob(f"{stages.VLM}/*/manifest.json") if str(base) in path.read_text()]
    manifest = json.loads(found[0].read_text())
    assert len(found) == 1 and manifest["run"]["status"] == "complete"
    assert manifest["models"]["base"]["adapted"] and "results" in manifest
    for name in ("validation", "scores", "joint_scores"):
        table = pd.read_parquet(found[0].parent / f"{name}.parquet")
        assert len(table) and table.score.between(0, 1).all() and (table.reason == "").all()
