"""The tables of a benchmark: every measure by subset, model and protocol, the published beside ours, the gaps, the
differences between two detectors, and severity curves."""

import numpy as np
import pandas as pd

from aligngemini.analysis import pairs, published, tables
from aligngemini.core.seeds import generator
from aligngemini.images.perturb import PERTURBATIONS
from aligngemini.images.table import briefly
from aligngemini.scores import intervals, metrics
from aligngemini.scores.metrics import BALANCED

from .verdicts import View

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
OURS, THEIRS = "this run", "the other run"
ROW = ["protocol", "model", "subset"]
UNTOUCHED = "none"
MEANS = ["value", "real_accuracy", "fake_accuracy", "auroc"]


def measured(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return `tables.alignment` of Bench.verdicts, with the protocol in place of supervision, run and axis, and the
    share of images `outside` what the model was trained on."""
    scored = verdicts.groupby("title")["verdict"].transform("count") > 0
    table = tables.alignment(verdicts[scored])
    table = table.rename(columns={"supervision": "protocol"}).drop(columns=["run", "axis"])
    by_subset = verdicts[verdicts["verdict"].notna()].rename(columns={"supervision": "protocol"})
    whole = by_subset.assign(subset="mean")
    shares = pd.concat([by_subset, whole]).groupby(ROW)["outside"].mean().reset_index()
    return table.merge(shares, on=ROW, how="left")


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return `measured` as people read it: the protocols of every subset and model under each other, the mean last."""
    keys = [(table["subset"] == "mean").to_numpy(), *(pd.factorize(table[name])[0] for name in ("subset", "model"))]
    rows = table.iloc[pd.MultiIndex.from_arrays(keys).argsort(kind="stable")]
    text = rows[["subset", "model", "protocol"]].assign(**{BALANCED: tables.texts(rows)})
    for name, heading in MEASURES.items():
        text[heading] = ["-" if pd.isna(value) else f"{value:.2f}" for value in rows[name]]
    outside = [f"{share:.0%}" if share else "" for share in rows["outside"].fillna(0)]
    return text.assign(n=rows["n"], outside=outside).reset_index(drop=True)


def beside(table: pd.DataFrame, key: str, alike: set[str]) -> pd.DataFrame | None:
    """Return analysis.published.beside for our fusion, one block for each protocol, of which `alike` are as the
    published one; None where either of them has no numbers."""
    fused = table[table["model"] == "fusion"].assign(benchmark=key, alike=table["protocol"].isin(alike))
    if key not in published.BENCHMARKS or fused.empty:
        return None
    rows = published.beside(published.measured(fused))
    return rows if len(rows) else None


def left_out(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what counts nowhere, or not for the branches that the reason names: protocol, path, subset, reason; from
    frames by protocol ("": before any)."""
    every = pd.concat([frame.assign(protocol=name) for name, frame in frames.items()], ignore_index=True)
    return every.loc[every["reason"] != "", ["protocol", "path", "subset", "reason"]].reset_index(drop=True)


def reasons(lost: pd.DataFrame) -> pd.DataFrame:
    """Return `left_out` counted: protocol, reason (without its details), count, examples (paths)."""
    short = briefly(lost["reason"]).replace({"same content": "same content as another"})
    paths = lost.assign(reason=short).groupby(["protocol", "reason"])["path"]
    return paths.agg(count="size", examples=lambda paths: ", ".join(paths[:EXAMPLES])).reset_index()


def why(lost: pd.DataFrame) -> str:
    """Return the reasons of `left_out` as the end of a sentence on images that cannot be judged."""
    texts = reasons(lost)["reason"].unique()
    return f": {'; '.join(texts)}" if len(texts) else "; is a subset there that the protocol counts?"


def empty(verdicts: pd.DataFrame, protocols: list[str], lost: pd.DataFrame) -> list[str]:
    """Return a sentence for each protocol under which no image can be judged, or not by every model: why not."""
    sentences = []
    for protocol in protocols:
        count = verdicts[verdicts["supervision"] == protocol].groupby("model", sort=False)["verdict"].count()
        silent = count.index[count == 0]
        if len(silent) or not len(count):
            who = "" if len(silent) == len(count) else f" by {', '.join(silent)}"
            sentences.append(f"under {protocol} no picture can be judged{who}{why(lost[lost['protocol'] == protocol])}")
    return sentences


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Return this run minus the other one, from Bench.verdicts of either, on the images that both judged.

    One row for each protocol, model and subset: n, difference of balanced accuracy with low and high, only_this and
    only_other (images that one alone has right), p (of no difference, from the interval), p_holm (Holm's correction
    over the whole table), and auroc_difference with auroc_low and auroc_high.
    """
    rows = []
    for (protocol, model), mine in ours.groupby(["supervision", "model"], sort=False):
        other = theirs[(theirs["supervision"] == protocol) & (theirs["model"] == model)]
        both = pairs.side_by_side(pd.concat([other.assign(title=THEIRS), mine.assign(title=OURS)]), THEIRS, OURS)
        for subset, part in both.groupby("subset", sort=False):
            rng = generator("against", protocol, model, subset)
            about = dict(zip(ROW, (protocol, model, subset), strict=True))
            rows.append(about | pairs.tested(part, rng))
    table = pd.DataFrame(rows, columns=[*ROW, *pairs.MEASURED, *pairs.RANKED])
    return pairs.corrected(table).rename(columns={"only_other": "only_this", "only_pure": "only_other"})


def shown_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return `differences` as people read it, without the differences of AUROC."""
    text = [tables.spell(row.difference, row.low, row.high, sign=True) for row in table.itertuples()]
    rows = table[[*ROW, "n", "only_this", "only_other"]].assign(p=table["p_holm"].round(4))
    rows.insert(4, "difference", text)
    return rows


def curve(view: View, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model for Bench.verdicts of a view: a point of its severity curve.

    Columns: protocol, perturbation ("none" for none), severity (NaN there), unit, origin (whose severities), model,
    value, low, high (balanced accuracy with its interval, or recall or specificity for one class), metric,
    real_accuracy, fake_accuracy, auroc: means over the subsets of both classes, or over all if each has one; n.
    """
    rows, kind = [], PERTURBATIONS.get(view.perturbation)
    about = {"protocol": view.protocol.name, "perturbation": view.perturbation or UNTOUCHED}
    about["severity"], about["unit"], about["origin"] = (
        (view.severity, kind.unit, kind.origin) if kind else (np.nan, "", "")
    )
    for model, part in verdicts[verdicts["verdict"].notna()].astype({"verdict": int}).groupby("model", sort=False):
        rng = generator("robustness", view.protocol.name, view.perturbation, view.severity, model)
        _, low, high = intervals.mean_accuracy(part, rng)
        subsets = metrics.per_subset(part)
        both = subsets[subsets["metric"] == BALANCED]
        counted = both if len(both) else subsets
        facts = {"low": low, "high": high, "metric": counted["metric"].iloc[0], "n": part["image_id"].nunique()}
        rows.append(about | {"model": model} | counted[MEANS].mean().to_dict() | facts)
    return pd.DataFrame(rows)


def shown_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `curve` as people read them, without the unit's column."""
    severity = ["" if pd.isna(value) else f"{value:g}" for value in curves["severity"]]
    return curves.drop(columns="unit").round(dict.fromkeys([*MEANS, "low", "high"], 3)).assign(severity=severity)
