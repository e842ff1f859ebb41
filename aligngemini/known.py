"""Known answers: a packed detector, a few pictures, and the scores it must give them on any machine."""

import json
import shutil
from pathlib import Path

import pandas as pd

from .detector import BRANCHES, SHIPPED, Detector, facts
from .scores import pictured
from .workbook import adapters, paths, runs, shipped

WITHIN = 0.02  # other processors and libraries add in another order; a wrong model is off by far more


def pack(run: str = "latest", folder: Path = SHIPPED, scale: str | None = None, each: int = 2) -> Path:
    """Write the detector of a run of notebook 04 into `folder`, with `each` real and fake pictures of every cell of its
    first benchmark and their scores. Raises Refused if there is no such run.
    """
    fusion, folder = runs.load("04_fusion", run, scale), Path(folder)
    paths.writable(folder.parent, "a checkout of your own")
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in BRANCHES:
        _copy_adapter(fusion.inputs[name].path("adapter"), fresh / name)
    (fresh / "detector.json").write_text(json.dumps(facts(fusion), indent=1) + "\n", encoding="utf-8")
    _write_pictures(_chosen(fusion, each), fresh / "known")
    shutil.rmtree(folder, ignore_errors=True)
    return shipped.record(fresh.rename(folder))


def _copy_adapter(source: Path, target: Path) -> None:
    """Copy weights, configuration, facts and card; they name the base as the run did, by no path of this machine."""
    target.mkdir(parents=True)
    for name in (adapters.WEIGHTS, "adapter_config.json", adapters.FACTS, adapters.CARD):
        shutil.copy(source / name, target)


def _chosen(fusion, each: int) -> pd.DataFrame:
    """Rows of fused.parquet, each picture once."""
    rows = pictured.load(fusion.path("fused.parquet"))
    rows = rows[rows.benchmark == rows.benchmark.iloc[0]].drop_duplicates("image_id")
    return rows.groupby(["axis", "label"], sort=False).head(each)


def _write_pictures(rows: pd.DataFrame, folder: Path) -> None:
    folder.mkdir()
    names = [f"{place}_{row.axis}{Path(row.path).suffix}" for place, row in enumerate(rows.itertuples())]
    for path, name in zip(rows.path, names, strict=True):
        shutil.copy(path, folder / name)
    told = rows[["label", "axis", "vlm_score", "expert_score", "verdict"]].round(4)
    told.insert(0, "file", names)
    told.to_csv(folder / "answers.csv", index=False)


def check(folder: Path = SHIPPED) -> pd.DataFrame:
    """Score the known pictures with the packed detector.

    Columns: file, axis, and for each branch its score, the known one, and `agrees` (both within WITHIN).
    """
    known = pd.read_csv(Path(folder) / "known" / "answers.csv")
    found = Detector.load(folder)([Path(folder) / "known" / name for name in known.file])
    rows = known[["file", "axis"]].copy()
    for name in BRANCHES:
        rows[name], rows[f"{name} known"] = found[f"{name}_score"].to_numpy(), known[f"{name}_score"]
    near = [(rows[name] - rows[f"{name} known"]).abs() <= WITHIN for name in BRANCHES]
    return rows.assign(agrees=near[0] & near[1])
