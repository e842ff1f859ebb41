"""The table of a rehearsal, for people and for MEASUREMENTS.md."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.analysis import export
from aligngemini.core import atomic, json_file, manifest

from .gpus import HOPPER, UTILISATION
from .setting import SHORT

NOTE = (
    "measured: the stage as the notebooks run it, with random weights, files read and written, in a process of its "
    "own; on a CPU the peak is what it took beside its libraries (about 1 GB), counted what torch allocates of that "
    f"by the count, and answers of true sizes end after {SHORT} tokens. computed: the same without its arithmetic, in "
    f"batches of one; peak and time for the batches of the recipe, time at {UTILISATION:.0%} of the GPU's bfloat16 "
    f"rate (ours; H100 and H200: {HOPPER:.0%}, measured), files not counted. Batches of training are updates where "
    "they are measured, and a GPU gets them at once if they fit. Views are made by one process; their time is that of "
    "all workers of the recipe, beside the training. Time is for the sizes of the recipes, scoring and explaining for "
    "10,000 images; disk is for files that stay, photographs as PNG, and checkpoints."
)
HIDDEN = ["lower", "notebook"]  # columns
Rows = list[dict[str, Any]]


def table(rows: Rows) -> pd.DataFrame:
    """The rows of `run` as people read them."""
    shown = pd.DataFrame(rows).drop(columns=HIDDEN).map(_spelt)
    shown["fits"] = ["yes" if row["fits"] else f"no: lower {row['lower']}" for row in rows]
    return shown


def _spelt(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "-" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def minutes(rows: Rows) -> dict[str, int]:
    """Minutes of each notebook by the computed rows, rounded up; for plan.yaml."""
    counted = pd.DataFrame(rows).query("how == 'computed' and notebook != ''")
    return counted.groupby("notebook")["minutes"].sum().map(math.ceil).to_dict()


def write(rows: Rows, folder: Path, name: str, command: str) -> Path:
    """Write <name>.json and <name>.md, each whole; return the latter."""
    machine = manifest.environment()
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in ("torch", "transformers", "trl", "peft"))
    head = f"`{command}`: {machine['accelerator'] or 'no GPU'}, Python {machine['python']}, {versions}."
    content = {"command": command, "environment": machine, "minutes": minutes(rows)}
    with manifest.room_on_disk(folder):
        json_file.write(folder / f"{name}.json", content | {"rows": rows})
        return atomic.write(folder / f"{name}.md", f"{head}\n\n{export.markdown(table(rows))}\n\n{NOTE}\n")
