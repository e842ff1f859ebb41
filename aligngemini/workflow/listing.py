"""The runs as a table for people: what there is, in which state, and what came out."""

import shutil
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.core import commands, paths
from aligngemini.core.progress import spell

KINDS = ("supervision", "rule")  # parameters that tell runs of one notebook apart
RESULTS = 3
SHORT = ["notebook", "run", "status", "scale", "seed", "of", "started", "took", "size", "came out"]
LEAST = 20  # characters of what came out
DIGITS = 6  # of the name of a run that another stands on


def text(manifests: list[dict[str, Any]], long: bool = False) -> str:
    """Return one line per manifest of `runs.all()`, the newest last: all that is known, or what fits the terminal."""
    if not manifests:
        return f"there are no runs yet: make them with `{commands.onward('mini', '', [])}`"
    rows = pd.DataFrame(map(_row, manifests))
    rows = rows if long else _fitted(rows[SHORT].assign(notebook=rows.notebook.str[:2]))
    left = {name: f"{{:<{rows[name].str.len().max()}}}".format for name in rows}
    return rows.to_string(index=False, justify="left", formatters=left)


def _fitted(rows: Any) -> Any:
    """The table without the end of results that are too long for the terminal (or 120 columns); errors stay whole."""
    taken = sum(max(len(name), rows[name].str.len().max()) + 1 for name in SHORT[:-1])
    room = max(LEAST, shutil.get_terminal_size((120, 24)).columns - taken)
    short = rows[SHORT[-1]].map(lambda text: textwrap.shorten(text, room, placeholder=" …"))
    return rows.assign(**{SHORT[-1]: short.where(rows.status != "failed", rows[SHORT[-1]])})


def _row(record: dict[str, Any]) -> dict[str, str]:
    run, params = record["run"], record["question"]["params"]
    row = {
        "notebook": run["notebook"],
        "run": run["name"],
        "status": run["status"],
        "scale": params.get("scale", ""),
        "seed": params.get("seed", ""),
        "of": " ".join(str(params[name]) for name in KINDS if name in params),
        "started": run.get("started", "")[:16].replace("T", " "),
        "took": spell(run["seconds"]) if "seconds" in run else "",
        "size": size(bytes_of(record)),
        "stands on": " ".join(f"{each['notebook'][:2]}/{each['run'][:DIGITS]}" for each in _parents(record)),
        "came out": run.get("error") or _results(record["results"]),
    }
    report = Path(run["folder"]) / "report.html"
    row["report"] = paths.short(report) if "report.html" in record["files"] else ""
    # Half characters, which JSON may name, are spelt: tables cannot hold them.
    return {name: str(value).encode("utf-8", "backslashreplace").decode() for name, value in row.items()}


def _parents(record: dict[str, Any]) -> list[dict[str, str]]:
    """The runs that a run stands on, each once."""
    return list({each["run"]: each for each in record["question"]["inputs"].values()}.values())


def bytes_of(record: dict[str, Any]) -> int:
    """How many bytes the folder of a run has, of a complete one those of the files that its manifest lists."""
    if record["run"]["status"] == "complete":
        return sum(entry["bytes"] for entry in record["files"].values())
    return sum(path.lstat().st_size for path in Path(record["run"]["folder"]).rglob("*") if path.is_file())


def size(count: int) -> str:
    """Spell a number of bytes, "0.2 MB", "12 MB", "1.4 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.{0 if count >= 1e7 else 1}f} MB"


def _results(results: dict[str, Any]) -> str:
    numbers = {k: v for k, v in results.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return ", ".join(f"{k} {v}" if isinstance(v, int) else f"{k} {v:.4g}" for k, v in list(numbers.items())[:RESULTS])
