"""Runs of notebooks 04 and 05 over the synthetic tables of the analysis tests."""

import importlib.util
from pathlib import Path

import pytest

from aligngemini.analysis import pairs, tables
from aligngemini.analysis.models import Model
from aligngemini.fusion import join
from aligngemini.fusion.rules import Fusion
from aligngemini.scores import pictured

_spec = importlib.util.spec_from_file_location(
    "analysis_fixtures", Path(__file__).parents[1] / "analysis" / "conftest.py"
)
synthetic = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(synthetic)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Folders of a run of notebook 04 and one of 05."""
    root = tmp_path_factory.mktemp("outputs")
    folders = [root / "04_fusion" / "bbb", root / "05_analysis" / "ccc", root / "images"]
    for folder in folders:
        folder.mkdir(parents=True)
    images = synthetic.make_images(folders[2])
    models = [Model(*kind, "0" * 12, 0.5, synthetic.make_scores(images, *kind)) for kind in synthetic.SEES]
    joined = join.join(images, {"vlm": models[0].scores, "expert": models[2].scores})
    joined.loc[0, "vlm_score"] = float("nan")
    pictured.write(join.fuse(joined, Fusion("or", (0.4, 0.6)), ["vlm", "expert"]), folders[0] / "fused.parquet")
    synthetic.write_manifest(folders[0], "04_fusion", {"rule": "or"}, {"vlm_threshold": 0.4, "expert_threshold": 0.6})
    verdicts = tables.judged(images, models)
    tables.alignment(verdicts, 50).to_parquet(folders[1] / "alignment.parquet")
    pictured.write(pairs.flips(verdicts), folders[1] / "flips.parquet")
    return folders[:2]
