"""A sweep on disk: its tables as Parquet and CSV, a page of Markdown as people read it, and what it stands on."""

from pathlib import Path

import pandas as pd

from aligngemini.analysis import export, seeds
from aligngemini.core import json_file, manifest
from aligngemini.core.stages import FUSION

NOTE = (
    "Balanced accuracy, one column per seed; mean, low and high over n seeds (Student's t, 95 %). Rows with a value "
    "under against are differences taken within each seed."
)
RULES = (
    "Branches and rules on the joint validation set, where rules are fitted, and on the first benchmark of the test."
)
PROBES = "AUROC of guessing the label of a training set from one kind of trace alone: about .5 where there is none."
PIXELS, WORDS = "noise statistics", "words of the untuned VLM"
PROBED = ": pixel probe auroc"  # how notebook 01 calls what it measured, after the name of a training set
SETS, METRICS = ("validation", "test"), ("balanced accuracy", "real accuracy")


def probes(runs: list) -> pd.DataFrame:
    """AUROC of the probes that the runs of a sweep measured: how pure the training sets are; no rows if there are none.

    Columns: data and point (of the probed run), training set, probe (PIXELS, from notebook 01, or WORDS, from 02),
    one column per seed, mean, low, high, n (seeds). A pixel set should leave WORDS at .5, a semantic set PIXELS.
    """
    rows = []
    for run in runs:
        record = manifest.read(run.answer.folder) or {}
        results = {name: value for name, value in record["results"].items() if value is not None}
        rows += [(run, key.removesuffix(PROBED), PIXELS, results[key]) for key in results if key.endswith(PROBED)]
        if "description_auroc" in results:
            rows.append((run, record["question"]["params"]["supervision"], WORDS, results["description_auroc"]))
    return _spread(rows, ["training set", "probe"])


def rules(runs: list) -> pd.DataFrame:
    """What the runs of notebook 04 of a sweep measured on validation and test, from their sides.parquet; no rows if
    there are none.

    Columns: data and point, rule (or branch), metric, measured on (of SETS), against ("" for levels), one column per
    seed, mean, low, high, n (seeds). A difference is taken within each seed: the test against validation.
    """
    rows = []
    for run in (run for run in runs if run.answer.notebook == FUSION):
        sides = pd.read_parquet(run.answer.folder / "sides.parquet").set_index("rule")
        for metric in METRICS:
            columns = {name: f"{name} {metric.replace(' ', '_')}" for name in SETS}
            for rule, values in sides.iterrows():
                level = {name: values[column] for name, column in columns.items() if column in sides}
                rows += [(run, rule, metric, name, "", value) for name, value in level.items()]
                if len(level) == len(SETS):
                    rows.append((run, rule, metric, "test", "validation", level["test"] - level["validation"]))
    return _spread(rows, ["rule", "metric", "measured on", "against"])


def _spread(rows: list[tuple], columns: list[str]) -> pd.DataFrame:
    """seeds.spread of rows of a run, what `columns` say, and a value."""
    keys = ["data", "point", *columns]
    about = [(run.data, run.point, *rest, run.seed, value) for run, *rest, value in rows]
    return seeds.spread(pd.DataFrame(about, columns=[*keys, "seed", "value"]), keys)


def write(
    folder: Path, study, scale: str, runs: list, table: pd.DataFrame, probes: pd.DataFrame, rules: pd.DataFrame
) -> Path:
    """Write table.parquet, table.csv, table.md, probes.csv, rules.csv and study.json to `folder`; return it.

    study.json holds question, grid, and every run with its seed and point: what the table can be made from again.
    """
    about = {"study": study.name, "scale": scale, "question": study.question, "grid": study.grid}
    made_of = [
        {"seed": run.seed, "data": run.data, "point": run.point}
        | {"notebook": run.answer.notebook, "run": run.answer.name}
        for run in runs
    ]
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / "table.parquet", index=False)
        for name, each in {"table": table, "probes": probes, "rules": rules}.items():
            each.to_csv(folder / f"{name}.csv", index=False)
        (folder / "table.md").write_text(text(study, scale, table, probes, rules), encoding="utf-8")
        json_file.write(folder / "study.json", about | {"runs": made_of})
    return folder


def text(study, scale: str, table: pd.DataFrame, probes: pd.DataFrame, rules: pd.DataFrame) -> str:
    """The page: question, note, and a Markdown table; below it all rules, and how pure the training sets are."""
    parts = [(NOTE, seeds.shown(table)), (RULES, seeds.spelt(rules)), (PROBES, seeds.spelt(probes))]
    blocks = [f"{note}\n\n{export.markdown(rows)}\n" for note, rows in parts if len(rows) or note == NOTE]
    return f"# {study.name}, {scale}\n\n{study.question}\n\n" + "\n".join(blocks)
