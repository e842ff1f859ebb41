"""An audit as people read it, and as files."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from aligngemini.core import manifest, paths
from aligngemini.images import aspect
from aligngemini.images.filenames import printable
from aligngemini.images.table import briefly

from . import cues, duplicates
from .report import Report

EXAMPLES = 3


def text(report: Report) -> str:
    """The report in plain text: counts, cues, copies, what was left out, and the verdicts."""
    titles = {
        f"Audit of {printable(report.name)}": _head(report),
        "Pictures": _table(report.parts[["part", "real", "fake", "left_out", *duplicates.RELATIONS]]),
        "The class guessed from one cue alone (AUROC; .5 says nothing, nan: too few to tell)": _cues(report.parts),
        "Stands there more than once": _copies(report.images),
        "Left out": _left_out(report.left_out),
        "Beyond a VLM of the Qwen family": _left_out(aspect.too_long(report.images)),
        "Verdicts": "\n".join(report.parts["part"] + ": " + report.parts["verdict"]),
    }
    return "\n\n".join(f"{title}\n{body}" for title, body in titles.items()) + f"\n\nverdict: {report.verdict}"


def write(report: Report, folder: Path) -> Path:
    """Write audit.parquet (its parts), audit.md and left_out.csv into `folder`; raises DiskFull."""
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        report.parts.to_parquet(folder / "audit.parquet", index=False)
        page = f"```\n{text(report)}\n```\n\n**Verdict:** {report.verdict}\n"
        (folder / "audit.md").write_text(page, encoding="utf-8")
        report.left_out.to_csv(folder / "left_out.csv", index=False)
    return folder


def _head(report: Report) -> str:
    training = ", ".join(f"{paths.short(name)} ({count} pictures)" for name, count in report.training.items())
    return f"{len(report.images)} usable pictures; held against {training or 'no training set: give --against'}"


def _table(rows: pd.DataFrame) -> str:
    return rows.to_string(index=False, float_format="{:.2f}".format, na_rep="nan")


def _cues(parts: pd.DataFrame) -> str:
    shown = [name for name in (*cues.NAMES, cues.PROBE, cues.WORDS) if name in parts]
    note = "The probes see pictures: they are shown, and are no confounds."
    return f"{_table(parts[['part', *shown]])}\n{note}"


def _copies(images: pd.DataFrame) -> str:
    copies = {what: images.loc[images[name] != "", ["path", name]] for name, what in duplicates.RELATIONS.items()}
    shown = {what: rows.map(paths.short).agg(" and ".join, axis=1) for what, rows in copies.items() if len(rows)}
    return _with_examples((f"{len(lines)} {what}", lines) for what, lines in shown.items())


def _left_out(rows: pd.DataFrame) -> str:
    groups = rows.groupby(["subset", briefly(rows["reason"])])["path"]
    return _with_examples((f"{subset or 'no subset'}: {len(same)} x {why}", same) for (subset, why), same in groups)


def _with_examples(groups: Iterable[tuple[str, pd.Series]]) -> str:
    lines = [[f"{head}, e.g.", *("  " + examples.head(EXAMPLES).map(printable))] for head, examples in groups]
    return "\n".join(sum(lines, [])) or "nothing"
