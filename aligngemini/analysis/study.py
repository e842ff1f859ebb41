"""The table of a sweep on disk: Parquet and CSV whole, Markdown as people read it, and what it stands on."""

from pathlib import Path

import pandas as pd

from aligngemini.analysis import export, seeds
from aligngemini.workbook import json_file, manifest

NOTE = (
    "Balanced accuracy, one column per seed; mean, low and high over n seeds (Student's t, 95 %). Rows with a value "
    "under against are differences taken within each seed."
)
PROBES = "AUROC of guessing the label of a training set from one kind of trace alone: about .5 where there is none."


def write(folder: Path, study, scale: str, made: list, table: pd.DataFrame, probes: pd.DataFrame) -> Path:
    """Write table.parquet, table.csv, table.md, probes.csv and study.json to `folder`; return it."""
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / "table.parquet", index=False)
        table.to_csv(folder / "table.csv", index=False)
        probes.to_csv(folder / "probes.csv", index=False)
        (folder / "table.md").write_text(text(study, scale, table, probes), encoding="utf-8")
        json_file.write(folder / "study.json", told(study, scale, made))
    return folder


def told(study, scale: str, made: list) -> dict:
    """Question, grid, and every run with its seed and point: what the table can be made from again."""
    runs = [
        {
            "seed": run.seed,
            "data": run.data,
            "point": run.point,
            "notebook": run.answer.notebook,
            "run": run.answer.name,
        }
        for run in made
    ]
    return {"study": study.name, "scale": scale, "question": study.question, "grid": study.grid, "runs": runs}


def text(study, scale: str, table: pd.DataFrame, probes: pd.DataFrame) -> str:
    """The page: question, note, and a Markdown table; below it how pure the training sets are."""
    page = f"# {study.name}, {scale}\n\n{study.question}\n\n{NOTE}\n\n{export.markdown(seeds.shown(table))}\n"
    return page if probes.empty else f"{page}\n{PROBES}\n\n{export.markdown(seeds.spelt(probes))}\n"
