"""Known answers: a packed detector, a few pictures, and the scores it must give them on any machine."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from .core import adapters, atomic, json_file, paths, runs, shipped, stages, values
from .detector import SHIPPED, Detector
from .fusion import description, join

WITHIN = 0.02  # other processors and libraries add in another order; a wrong model is off by far more


def pack(run: str = "latest", folder: Path = SHIPPED, scale: str | None = None, each: int = 2) -> Path:
    """Write the detector of a run of notebook 04 into `folder`, with `each` real and fake pictures of every cell of its
    first benchmark and their scores. Raises Refused if there is no such run.
    """
    fusion, folder = runs.load(stages.FUSION, run, scale), Path(folder)
    paths.writable(folder.parent, "a checkout of your own")
    config = description.read(fusion.folder)
    with atomic.replacing(folder) as fresh:
        for name, home in description.run_folders(fusion, config).items():
            _copy_branch(home, fresh / name)
        for branch in config.branches:
            branch.run = ""
        json_file.write(fresh / description.FILE, config.model_dump())
        _write_images(values.read(fusion.path("fused.parquet")), each, fresh / "known")
    return shipped.record(folder)


def _copy_branch(source: Path, target: Path) -> None:
    """Copy what a branch is loaded from; of a folder with an adapter what belongs to it, which names the base as the
    run did, by no path of this machine.
    """
    target.mkdir(parents=True)
    has_adapter = (source / adapters.WEIGHTS).is_file()
    for path in [path for name in adapters.FILES for path in source.glob(name)] if has_adapter else source.iterdir():
        shutil.copy(path, target)


def _write_images(rows: pd.DataFrame, each: int, folder: Path) -> None:
    """Write `each` real and fake images of every cell of the first benchmark of fused.parquet, and their scores."""
    rows = rows[rows.benchmark == rows.benchmark.iloc[0]].drop_duplicates("image_id")
    rows = rows.groupby(["axis", "label"], sort=False).head(each)
    folder.mkdir()
    files = [f"{place}_{row.axis}{Path(row.path).suffix}" for place, row in enumerate(rows.itertuples())]
    for path, name in zip(rows.path, files, strict=True):
        shutil.copy(path, folder / name)
    answers = rows[["label", "axis", *join.columns(join.names(rows)), "verdict"]].round(4)
    answers.insert(0, "file", files)
    answers.to_csv(folder / "answers.csv", index=False)


def check(folder: Path = SHIPPED) -> pd.DataFrame:
    """Score the known pictures with the packed detector.

    Columns: file, axis, and for each branch its score, the known one, and `agrees` (all within WITHIN).
    """
    known = pd.read_csv(Path(folder) / "known" / "answers.csv")
    judge = Detector.load(folder)
    found = judge([Path(folder) / "known" / name for name in known.file])
    rows, agrees = known[["file", "axis"]].copy(), np.full(len(known), True)
    for name in judge.names:
        rows[name], rows[f"{name} known"] = found[f"{name}_score"].to_numpy(), known[f"{name}_score"]
        agrees &= (rows[name] - rows[f"{name} known"]).abs() <= WITHIN
    return rows.assign(agrees=agrees)
