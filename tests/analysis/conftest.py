"""Synthetic tables: a small world in which the VLM sees meaning, the expert sees pixels, and mixing costs
something."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.analysis import tables
from aligngemini.analysis.models import Model
from aligngemini.core import values
from aligngemini.fusion import join
from aligngemini.fusion.rules import Fusion
from aligngemini.scores import table as score_table

SEES = {
    ("vlm", "semantic"): {"semantic": 1.6, "pixel": 0.0, "both": 1.6},
    ("vlm", "mixed"): {"semantic": 0.7, "pixel": 0.0, "both": 0.7},
    ("expert", "pixel"): {"semantic": 0.0, "pixel": 3.0, "both": 3.0},
    ("expert", "mixed"): {"semantic": 0.0, "pixel": 2.6, "both": 2.6},
}


def make_images(folder, n: int = 60) -> pd.DataFrame:
    """A test table of n reals shared by three subsets and n fakes in each; the first pictures exist as
    files."""
    rows = []
    for subset in ("semantic", "pixel", "both"):
        rows += [
            {"subset": subset, "image_id": f"real{i:05d}", "label": 0, "axis": "none", "family": ""} for i in range(n)
        ]
        rows += [
            {
                "subset": subset,
                "image_id": f"{subset}{i:05d}",
                "label": 1,
                "axis": subset,
                "family": ["count", "shadow", "floating"][i % 3] if subset != "pixel" else "",
            }
            for i in range(n)
        ]
    frame = pd.DataFrame(rows)
    frame["path"] = [str(folder / f"{name}.png") for name in frame.image_id]
    frame["reason"], frame["benchmark"] = "", "world"
    rng = np.random.default_rng(5)
    for name in frame.image_id.unique():
        pixels = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return frame


def make_scores(images: pd.DataFrame, branch: str, supervision: str) -> pd.DataFrame:
    """Scores in [0, 1] with the strength that SEES gives by axis."""
    once = images.drop_duplicates("image_id")
    rng = np.random.default_rng([3, *f"{branch} {supervision}".encode()])
    strength = once.axis.map(SEES[branch, supervision]).fillna(0.0) - 0.6
    score = 1 / (1 + np.exp(-2 * (strength + rng.normal(0, 0.6, len(once)))))
    return score_table.make(once.image_id, score, branch, supervision)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def models(images):
    return [
        Model(
            branch,
            supervision,
            f"{branch[:2]}{supervision[:2]}00000000",
            0.5,
            make_scores(images, branch, supervision),
        )
        for branch, supervision in SEES
    ]


@pytest.fixture(scope="session")
def fused(images, models):
    joined = join.join(images, {"vlm": models[0].scores, "expert": models[2].scores})
    return join.fuse(joined, Fusion("or", (0.5, 0.5)), ["vlm", "expert"])


@pytest.fixture(scope="session")
def verdicts(images, models, fused):
    return tables.judged(images, models, fused, "or")


def write_manifest(folder, notebook: str, params: dict, results: dict, **more) -> None:
    """A manifest in the form that runs have."""
    times = {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:01Z", "attempts": 1, "seconds": 1.0}
    manifest = {
        "run": {"notebook": notebook, "name": folder.name, "status": "complete"} | times,
        "question": {"params": {"scale": "mini", "seed": 0} | params, "inputs": {}},
        "environment": {"packages": {}, "git": {"commit": None, "dirty": None}, "python": "3.11"},
        **{"models": {}, "results": results, "files": {}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | more), encoding="utf-8")


def write_fusion(folder, fused: pd.DataFrame, branches: list[dict], params: dict) -> None:
    """A run of notebook 04 with the table and the branches given."""
    values.write(folder / "fused.parquet", fused)
    listed = [{"kind": each["name"], "facts": {}, "threshold": 0.5, "run": ""} | each for each in branches]
    (folder / "detector.json").write_text(json.dumps({"branches": listed, "fusion": {"rule": "or"}}))
    results = {f"{each['name']}_threshold": each["threshold"] for each in listed}
    write_manifest(folder, "04_fusion", params, results | {"rule": "or"})


@pytest.fixture(scope="session")
def manifest():
    """write_manifest, for tests that make a run of their own."""
    return write_manifest


@pytest.fixture(scope="session")
def fusion():
    """write_fusion, for tests that make a run of their own."""
    return write_fusion


@pytest.fixture
def run_of(tmp_path):
    """A function that makes a run of a sweep: its notebook, seed, point, results, environment and parameters."""

    def make(notebook: str, seed: int = 0, point: str = "", results: dict | None = None, environment=None, **params):
        folder = tmp_path / notebook / f"run{len(list(tmp_path.glob('*/*')))}"
        folder.mkdir(parents=True)
        more = {"environment": environment} if environment else {}
        write_manifest(folder, notebook, {"seed": seed, "supervision": ""} | params, results or {}, **more)
        answer = SimpleNamespace(notebook=notebook, name=folder.name, folder=folder)
        return SimpleNamespace(seed=seed, data="", point=point, answer=answer)

    return make
