"""Runs of notebooks 04 and 05 over the synthetic tables of the analysis tests."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from aligngemini.analysis import pairs, tables
from aligngemini.analysis.models import Model
from aligngemini.core import saved_runs, values
from aligngemini.fusion import join
from aligngemini.fusion.rules import Fusion

_spec = importlib.util.spec_from_file_location(
    "analysis_fixtures", Path(__file__).parents[1] / "analysis" / "conftest.py"
)
synthetic = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(synthetic)


def write_fusion(folder, images, scores, joint=True) -> None:
    """The files of a run of notebook 04 that joins these scores by OR; the last images stand for its joint set."""
    names, at = list(scores), [0.4, 0.6, 0.5][: len(scores)]
    joined = join.join(images, scores)
    joined.loc[0, f"{names[0]}_score"] = float("nan")
    fused = join.fuse(joined, Fusion("or", at), names)
    values.write(folder / "fused.parquet", fused)
    values.write(folder / "joint.parquet", fused.tail(100 if joint else 0))
    params = {"rule": "or", "false_positives": 0.05, "learner": "logistic", "seed": 0}
    params |= {"resamples": 200, "confidence": 0.95}
    results = {f"{name}_threshold": threshold for name, threshold in zip(names, at, strict=True)}
    synthetic.write_manifest(folder, "04_fusion", params, results)


@pytest.fixture(scope="session")
def runs_of(tmp_path_factory):
    """Make the folder of a run of notebook 04: names of branches, whether it has a joint set -> its folder."""
    images = synthetic.make_images(tmp_path_factory.mktemp("images"))
    kinds = {"vlm": ("vlm", "semantic"), "expert": ("expert", "pixel"), "other": ("expert", "mixed")}

    def make(names, joint=True):
        folder = tmp_path_factory.mktemp("fusion")
        write_fusion(folder, images, {name: synthetic.make_scores(images, *kinds[name]) for name in names}, joint)
        return folder

    return make


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Folders of a run of notebook 04 and one of 05."""
    root = tmp_path_factory.mktemp("outputs")
    folders = [root / "04_fusion" / "bbb", root / "05_analysis" / "ccc", root / "images"]
    for folder in folders:
        folder.mkdir(parents=True)
    images = synthetic.make_images(folders[2])
    models = [Model(*kind, "0" * 12, 0.5, synthetic.make_scores(images, *kind)) for kind in synthetic.SEES]
    write_fusion(folders[0], images, {"vlm": models[0].scores, "expert": models[2].scores})
    verdicts = tables.judged(images, models)
    tables.alignment(verdicts, 50).to_parquet(folders[1] / "alignment.parquet")
    values.write(folders[1] / "flips.parquet", pairs.flips(verdicts))
    return folders[:2]


@pytest.fixture
def analyses(runs, tmp_path, monkeypatch):
    """Two complete runs of notebook 05, of seeds 0 and 1; the run that trained "VLM, semantic" lies in `trained`."""
    images = synthetic.make_images(tmp_path).assign(pair_id="")
    images["generator"] = images["axis"].map({"semantic": "painter", "pixel": "vae", "both": "vae"}).fillna("")
    values.write(tmp_path / "test.parquet", images)
    trained = SimpleNamespace(name="trained", path=(tmp_path / "trained").joinpath)
    trained.path("adapter").mkdir(parents=True)
    history = pd.DataFrame({"step": [1, 2], "loss": [0.7, 0.4], "lr": [0.1, 0.2]})
    values.write(trained.path("adapter", "history.parquet"), history)
    names = {("vlm", "semantic"): "trained"}
    models = [Model(*kind, names.get(kind, ""), 0.5, synthetic.make_scores(images, *kind)) for kind in synthetic.SEES]
    verdicts = tables.judged(images, models)
    monkeypatch.setattr(tables, "of_run", lambda run: (images, models, verdicts))
    shared = {"inputs": {"vlm 1": trained}, "params": {"confidence": 0.95}, "scale": "mini"}
    shared["data"] = SimpleNamespace(path=tmp_path.joinpath)
    made = [SimpleNamespace(name=f"run{seed}", seed=seed, folder=tmp_path / str(seed), **shared) for seed in (0, 1)]
    for run, several in zip(made, (models, models[2:]), strict=True):
        run.folder.mkdir()
        values.write(run.folder / "alignment.parquet", tables.alignment(tables.judged(images, several), 50))
        values.write(run.folder / "flips.parquet", pairs.flips(verdicts))
    monkeypatch.setattr(saved_runs, "complete", lambda notebook: made)
    return made
