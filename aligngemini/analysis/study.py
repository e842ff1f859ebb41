"""A sweep on disk: its tables as Parquet and CSV, a section of a page as people read it, and what it stands on."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini import __version__
from aligngemini.analysis import export, seeds, study_tables
from aligngemini.core import atomic, json_file, manifest, values
from aligngemini.core.recipes import Study

LIBRARIES = ("torch", "transformers", "peft", "trl", "timm", "diffusers", "scikit-learn")
NOTE = (
    "Means over seeds with their 95 % intervals (Student's t over seeds, never over images; one seed has none). Rows "
    "with a value under against are differences taken within each seed."
)


class Form(NamedTuple):
    """How people read a table: its caption, the column with a table for each value ("" for none), and the column whose
    values stand across.
    """

    caption: str
    split: str
    across: str


ACCURACY = Form("{name}", "benchmark", "subset")
FORMS = {
    "probes": Form(
        "AUROC of guessing the label from one kind of trace alone, one half where there is none", "", "probe"
    ),
    "rules": Form("Branches and rules", "metric", "measured on"),
    "found": Form("Share that is called fake, by what is wrong with the image", "", "found by"),
    "grades": Form("Share of fakes that is called fake, by the pixels that the violation changes", "", "changed"),
}


def head(study: Study) -> str:
    """The first lines of a study's section: heading, question and design."""
    words = {"Question": study.question, "Design": study.design}
    return f"## {study.name}\n\n" + "".join(f"**{name}.** {text}\n\n" for name, text in words.items() if text)


def gather(study: Study, runs: list) -> dict[str, pd.DataFrame]:
    """The tables of a study by name: "table" (accuracy, see seeds.gather), and what it asks for of study_tables."""
    asked = {name: getattr(study_tables, name) for name in FORMS if name in study.tables}
    return {"table": seeds.gather(runs)} | {name: make(runs) for name, make in asked.items()}


def shown(study: Study, tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Captions and tables of texts, in the order in which the study names them; what is empty is left out."""
    for name in study.tables:
        table, form = tables["table"], FORMS.get(name, ACCURACY)
        rows = tables[name] if name in FORMS else table[table.metric == name].drop(columns="metric")
        for part, each in rows.groupby(form.split, sort=False) if form.split else [("", rows)][: len(rows)]:
            caption = ", ".join(filter(None, [form.caption.format(name=name), part]))
            yield caption[0].upper() + caption[1:], seeds.shown(each.drop(columns=form.split or []), form.across)


def write(folder: Path, study: Study, command: str, runs: list, tables: dict[str, pd.DataFrame]) -> Path:
    """Write table.parquet, a CSV of each of `tables`, table.md (the section) and study.json to `folder`; return it.

    `command` is what made the sweep. study.json holds question, grid, command, and every run with its seed and point:
    what the tables can be made from again.
    """
    about = {"study": study.name, "scale": folder.name, "question": study.question, "grid": study.grid}
    made_of = [
        {"seed": run.seed, "data": run.data, "point": run.point}
        | {"notebook": run.answer.notebook, "run": run.answer.name}
        for run in runs
    ]
    with manifest.room_on_disk(folder):
        values.write(folder / "table.parquet", tables["table"])
        for name, each in tables.items():
            atomic.write(folder / f"{name}.csv", each.to_csv(index=False))
        atomic.write(folder / "table.md", section(study, command, runs, tables))
        json_file.write(folder / "study.json", about | {"command": command, "runs": made_of})
    return folder


def section(study: Study, command: str, runs: list, tables: dict[str, pd.DataFrame]) -> str:
    """The section of a study: head, the command that makes it again, what it was made with, and its tables."""
    blocks = [f"{caption}:\n\n{export.markdown(rows)}\n" for caption, rows in shown(study, tables)]
    return f"{head(study)}`{command}`\n\n{_made_with(runs)} {NOTE}\n\n" + "\n".join(blocks)


def _made_with(runs: list) -> str:
    records = [manifest.read(run.answer.folder) or {} for run in runs]
    finished, packages, commits = "", {}, set()
    for record in records:
        finished = max(finished, record["run"].get("finished") or "")
        packages |= record["environment"].get("packages", {})
        git = record["environment"].get("git") or {}
        commits.add(str(git.get("commit"))[:7] + (" with changes" if git.get("dirty") else ""))
    named = [f"{name} {packages[name]}" for name in LIBRARIES if name in packages]
    versions = ", ".join([f"aligngemini {__version__} (commit {', '.join(sorted(commits))})", *named])
    return f"Finished on {finished[:10]} with {versions}."
