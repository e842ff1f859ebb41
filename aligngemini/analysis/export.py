"""Tables for a paper or a page: CSV with every digit, Markdown and LaTeX with the text that the notebooks show."""

from pathlib import Path

import pandas as pd

from aligngemini.analysis import tables
from aligngemini.core import atomic, manifest


def write(alignment: pd.DataFrame, folder: Path) -> list[Path]:
    """Write results.csv (all of `alignment`, a table of tables.alignment, as measured), results.md and results.tex
    (what `wide` makes of it); return their paths."""
    rows = wide(alignment)
    texts = {"csv": alignment.to_csv(index=False), "md": markdown(rows) + "\n", "tex": latex(rows)}
    with manifest.room_on_disk(folder):
        return [atomic.write(folder / f"results.{ending}", text) for ending, text in texts.items()]


def wide(alignment: pd.DataFrame) -> pd.DataFrame:
    """`tables.summary`, two decimals, with its row labels as columns: model, or (benchmark and) subset."""
    summary = tables.summary(alignment)
    models = summary.index.nlevels == 1 and summary.columns.isin(alignment.subset).all()
    names = ["model"] if models else ["benchmark", "subset"][-summary.index.nlevels :]
    return summary.rename_axis(index=names).reset_index()


def markdown(rows: pd.DataFrame) -> str:
    """Any table as Markdown, without its index; a bar inside a cell is escaped, and a new line is a space."""
    lines = [list(map(_cell, rows)), ["---"] * rows.shape[1], *rows.map(_cell).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).splitlines()).replace("|", r"\|")


def latex(rows: pd.DataFrame) -> str:
    """Any table of texts and numbers as a LaTeX tabular for the package booktabs, without its index, escaped."""
    text = rows.to_latex(index=False, escape=True)
    return text.replace("\\\\\n[", "\\\\\n{}[")  # LaTeX takes a bracket after a line's end for a distance
