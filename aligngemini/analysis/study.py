"""The table of a sweep on disk: Parquet and CSV whole, Markdown as people read it, and what it stands on."""

from pathlib import Path

import pandas as pd

from aligngemini.analysis import export, seeds
from aligngemini.core import json_file, manifest

NOTE = (
    "Balanced accuracy, one column per seed; mean, low and high over n seeds (Student's t, 95 %). Rows with a value "
    "under against are differences taken within each seed."
)
RULES = (
    "Branches and rules on the joint validation set, where rules are fitted, and on the first benchmark of the test."
)
PROBES = "AUROC of guessing the label of a training set from one kind of trace alone: about .5 where there is none."


def write(
    folder: Path, study, scale: str, made: list, table: pd.DataFrame, probes: pd.DataFrame, rules: pd.DataFrame
) -> Path:
    """Write table.parquet, table.csv, table.md, probes.csv, rules.csv and study.json to `folder`; return it."""
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / "table.parquet", index=False)
        table.to_csv(folder / "table.csv", index=False)
        probes.to_csv(folder / "probes.csv", index=False)
        rules.to_csv(folder / "rules.csv", index=False)
        (folder / "table.md").write_text(text(study, scale, table, probes, rules), encoding="utf-8")
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


def text(study, scale: str, table: pd.DataFrame, probes: pd.DataFrame, rules: pd.DataFrame) -> str:
    """The page: question, note, and a Markdown table; below it all rules, and how pure the training sets are."""
    page = f"# {study.name}, {scale}\n\n{study.question}\n\n{NOTE}\n\n{export.markdown(seeds.shown(table))}\n"
    further = [(RULES, rules), (PROBES, probes)]
    return page + "".join(f"\n{note}\n\n{export.markdown(seeds.spelt(each))}\n" for note, each in further if len(each))
