"""The tables of a benchmark: every measure by subset, model and protocol, the published beside ours, the gaps."""

import pandas as pd

from aligngemini.analysis import published, tables
from aligngemini.images.table import briefly
from aligngemini.scores.metrics import BALANCED

MEASURES = {
    "real_accuracy": "real",
    "fake_accuracy": "fake",
    "auroc": "AUROC",
    "ap": "AP",
    "tpr_at_1": "TPR at 1 %",
    "tpr_at_5": "TPR at 5 %",
    "ece": "ECE",
}
EXAMPLES = 3


def measured(verdicts: pd.DataFrame) -> pd.DataFrame:
    """`tables.alignment` of what Bench.verdicts gives, with the protocol in place of supervision, run and axis."""
    scored = verdicts.groupby("title")["verdict"].transform("count") > 0
    table = tables.alignment(verdicts[scored])
    return table.rename(columns={"supervision": "protocol"}).drop(columns=["run", "axis"])


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """`measured` as people read it: protocols under each other for every subset and model, fractions, the mean last."""
    order = pd.DataFrame({name: pd.factorize(table[name])[0] for name in ("subset", "model")})
    order = order.assign(last=table["subset"] == "mean").sort_values(["last", "subset", "model"], kind="stable")
    rows = table.loc[order.index]
    told = rows[["subset", "model", "protocol"]].assign(**{BALANCED: tables.texts(rows)})
    for name, heading in MEASURES.items():
        told[heading] = ["-" if pd.isna(value) else f"{value:.2f}" for value in rows[name]]
    return told.assign(n=rows["n"]).reset_index(drop=True)


def beside(table: pd.DataFrame, known: str, alike: set[str]) -> pd.DataFrame | None:
    """analysis.published.beside for our fusion, one block for each protocol, of which `alike` are as the published one;
    None where either of them has no numbers."""
    fused = table[table["model"] == "fusion"].assign(benchmark=known, alike=table["protocol"].isin(alike))
    if known not in published.BENCHMARKS or fused.empty:
        return None
    found = published.beside(published.measured(fused))
    return found if len(found) else None


def left_out(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What counts nowhere, or not for the branches that the reason names: protocol, path, subset, reason; from frames
    by protocol ("": before any)."""
    every = pd.concat([frame.assign(protocol=name) for name, frame in frames.items()], ignore_index=True)
    return every.loc[every["reason"] != "", ["protocol", "path", "subset", "reason"]].reset_index(drop=True)


def reasons(lost: pd.DataFrame) -> pd.DataFrame:
    """`left_out` counted: protocol, reason (without its details), count, examples (paths)."""
    short = briefly(lost["reason"]).replace({"same content": "same content as another"})
    rows = [
        {"protocol": protocol, "reason": reason, "count": len(part), "examples": ", ".join(part["path"][:EXAMPLES])}
        for (protocol, reason), part in lost.assign(short=short).groupby(["protocol", "short"])
    ]
    return pd.DataFrame(rows, columns=["protocol", "reason", "count", "examples"])


def why(lost: pd.DataFrame) -> str:
    """The reasons of `left_out` behind a colon, as the end of a sentence on pictures that cannot be judged."""
    found = reasons(lost)["reason"].unique()
    return f": {'; '.join(found)}" if len(found) else "; is a subset there that the protocol counts?"


def empty(verdicts: pd.DataFrame, protocols: list[str], lost: pd.DataFrame) -> list[str]:
    """A sentence for each protocol under which no picture can be judged, or not by every model: why not."""
    found = []
    for protocol in protocols:
        count = verdicts[verdicts["supervision"] == protocol].groupby("model", sort=False)["verdict"].count()
        silent = count.index[count == 0]
        if len(silent) or not len(count):
            who = "" if len(silent) == len(count) else f" by {', '.join(silent)}"
            found.append(f"under {protocol} no picture can be judged{who}{why(lost[lost['protocol'] == protocol])}")
    return found
