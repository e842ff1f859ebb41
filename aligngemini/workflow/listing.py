"""The runs as a table for people: what there is, in which state, and what came out."""

from typing import Any

from aligngemini.core.progress import spell

KINDS = ("supervision", "rule")  # parameters that tell runs of one notebook apart
RESULTS = 3


def text(manifests: list[dict[str, Any]]) -> str:
    """Return one line per manifest of `runs.all()`, the newest last."""
    import pandas as pd

    if not manifests:
        return "there are no runs yet: make them with `aligngemini run`"
    rows = pd.DataFrame(map(_row, manifests))
    left = {name: f"{{:<{rows[name].str.len().max()}}}".format for name in rows}
    return rows.to_string(index=False, justify="left", formatters=left)


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
        "came out": run.get("error") or _results(record["results"]),
    }
    # Half characters, which JSON may name, are spelt: tables cannot hold them.
    return {name: str(value).encode("utf-8", "backslashreplace").decode() for name, value in row.items()}


def _results(results: dict[str, Any]) -> str:
    numbers = {k: v for k, v in results.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return ", ".join(f"{k} {v}" if isinstance(v, int) else f"{k} {v:.4g}" for k, v in list(numbers.items())[:RESULTS])
