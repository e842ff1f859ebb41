"""The runs as a table for people: what there is, in which state, and what came out."""

from typing import Any

from aligngemini.core.progress import spell

TOLD = ("supervision", "rule")  # parameters that tell runs of one notebook apart
RESULTS = 3


def text(manifests: list[dict[str, Any]]) -> str:
    """Return one line per manifest of `runs.all()`, the newest last."""
    import pandas as pd

    if not manifests:
        return "there are no runs yet: make them with `aligngemini run`"
    table = pd.DataFrame([{name: _plain(text) for name, text in _row(record).items()} for record in manifests])
    left = {name: f"{{:<{table[name].str.len().max()}}}".format for name in table}
    return table.to_string(index=False, justify="left", formatters=left)


def _plain(text: Any) -> str:
    """A text as tables can hold it: half characters, which JSON may name, are spelt."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _row(record: dict[str, Any]) -> dict[str, str]:
    run, params = record["run"], record["question"]["params"]
    return {
        "notebook": run["notebook"],
        "run": run["name"],
        "status": run["status"],
        "scale": params.get("scale", ""),
        "seed": str(params.get("seed", "")),
        "of": " ".join(str(params[name]) for name in TOLD if name in params),
        "started": run.get("started", "")[:16].replace("T", " "),
        "took": spell(run["seconds"]) if "seconds" in run else "",
        "came out": run.get("error") or _results(record["results"]),
    }


def _results(results: dict[str, Any]) -> str:
    numbers = {k: v for k, v in results.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    spelt = [f"{k} {v}" if isinstance(v, int) else f"{k} {v:.4g}" for k, v in numbers.items()]
    return ", ".join(spelt[:RESULTS])
