"""The workbook with other backbones by recipe alone: notebook 03 trains three families, notebook 04 joins them."""

import json

import pandas as pd
import pytest

from aligngemini.core import runs, stages
from aligngemini.expert.branch import ExpertBranch
from aligngemini.images import decode, table
from tests import backbones, cells

RECIPES = {  # base -> the side of its crops, px
    "vit_small_patch16_dinov3": 64,
    "vit_base_patch16_siglip_224": 64,
    "convnext_tiny": 112,
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """One data run, an expert on each backbone, and a fusion of them all."""
    home, folder = tmp_path_factory.mktemp("bases"), tmp_path_factory.mktemp("outputs")
    cells.smoke(stages.DATA, folder)
    for name, crop in RECIPES.items():
        cells.smoke(stages.EXPERT, folder, base=backbones.folder(home, name), crop=crop)
    made = [f"expert {path.parent.name}" for path in folder.glob("03_expert_lora/*/manifest.json")]
    cells.smoke(stages.FUSION, folder, branch_runs=made)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_an_expert_on_another_backbone_scores_as_its_adapter_does(outputs, name, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(outputs))
    found = [json.loads(path.read_text()) for path in outputs.glob("03_expert_lora/*/manifest.json")]
    (manifest,) = [each for each in found if each["question"]["params"]["base"].endswith(name)]
    run = runs.load(stages.EXPERT, manifest["run"]["name"], "smoke")
    assert manifest["run"]["status"] == "complete" and 0 < manifest["results"]["final_loss"] < 5
    branch = ExpertBranch.load(ExpertBranch.facts(run), run.path("adapter"))
    rows = table.load(runs.load(stages.DATA, "latest", "smoke").path("test.parquet")).head(3)
    scores = pd.read_parquet(run.path("scores.parquet")).set_index("image_id").score
    for row in rows.itertuples():
        p_fake = branch.p_fake([branch.prepare(decode.read(row.path).rgb)])
        assert p_fake == pytest.approx(scores[row.image_id], abs=1e-5)


def test_the_three_are_joined_by_a_rule(outputs):
    (file,) = outputs.glob("04_fusion/*/fused.parquet")
    fused = pd.read_parquet(file)
    assert len([column for column in fused if column.endswith("_score")]) >= 3 and fused.verdict.notna().any()
