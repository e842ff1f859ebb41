"""The table of a rehearsal, for people and for MEASUREMENTS.md."""

import dataclasses
from pathlib import Path

import pandas as pd

from ..analysis import export
from ..workbook import atomic, json_file, manifest
from ..workbook.progress import spell
from .cards import UTILISATION
from .run import Row, minutes

NOTE = (
    "measured: the stage as the notebooks run it, with random weights, files read and written; without a GPU the peak "
    "is that of the whole process. computed: operations and bytes counted on the meta device; time at "
    f"{UTILISATION:.0%} of the card's bfloat16 rate (ours), files not counted. Batches of training are updates. Views "
    "are made by one process; with a GPU their time is that of all workers of the recipe, beside the training. Time is "
    "for the published sizes, scoring and explaining for 10,000 pictures."
)


def table(rows: list[Row]) -> pd.DataFrame:
    """The rows as people read them."""
    return pd.DataFrame({
        "stage": [row.stage for row in rows],
        "how": [row.how for row in rows],
        "on": [row.device for row in rows],
        "px": [row.size for row in rows],
        "batch": [row.batch or "-" for row in rows],
        "a second": ["-" if row.rate != row.rate else f"{row.rate:.3g} {row.unit}s" for row in rows],
        "peak, GB": [f"{row.peak / 1e9:.1f}" for row in rows],
        "for": [f"{row.many:,.0f}" for row in rows],
        "time": ["-" if row.seconds != row.seconds else spell(row.seconds) for row in rows],
        "fits": ["yes" if row.fits else f"no: lower {row.shrink}" for row in rows],
        "smallest card": [row.card for row in rows],
    })  # fmt: skip


def write(rows: list[Row], folder: Path, name: str, command: str) -> Path:
    """Write <name>.json and <name>.md, each whole; return the latter."""
    machine = manifest.environment()
    told = {"command": command, "environment": machine, "utilisation": UTILISATION, "minutes": minutes(rows)}
    with manifest.room_on_disk(folder):
        json_file.write(folder / f"{name}.json", told | {"rows": [dataclasses.asdict(row) for row in rows]})
        return atomic.write(folder / f"{name}.md", _markdown(rows, command, machine))


def _markdown(rows: list[Row], command: str, machine: dict) -> str:
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in ("torch", "transformers", "trl", "peft"))
    where = f"{machine['accelerator'] or 'no GPU'}, {machine['machine']['processors']} processors"
    head = f"`{command}`: {where}, Python {machine['python']}, {versions}, commit {_commit(machine)}."
    return f"{head}\n\n{export.markdown(table(rows))}\n\n{NOTE}\n"


def _commit(machine: dict) -> str:
    commit = machine["git"]["commit"]
    return "unknown" if commit is None else commit[:12] + (", changed" if machine["git"]["dirty"] else "")
