"""How pure the sets are, in figures: a pixel-only probe, a pair-identity check, and what the container alone
gives away.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from ..workbook import manifest
from . import decode, jpeg, sources, statistics
from .header import contents, opened
from .table import briefly

PROBED = 600  # pictures of each set the probe looks at: seconds, and an AUROC to about two points
COMPARED = 100  # pairs whose pixels are compared


def measure(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None = None) -> tuple[dict, pd.DataFrame]:
    """Audit tables named semantic, pixel, mixed, union, test: (scalars for the manifest, a small table).

    The table has one row per set and cue (pixel probe, format, jpeg_quality, size, aspect): auroc of guessing
    the label from that cue alone; .5 is what a pure set shows. The probe on the pixel set is there to show
    that it can see. `left_out` (set, path, reason) adds counts by reason.
    """
    rows = [cue for name, rows in _sets(tables).items() for cue in _cues(name, rows)]
    rows += [
        {"set": name, "cue": "pixel probe", "auroc": probe(tables[name])}
        for name in ("semantic", "pixel")
        if name in tables
    ]
    cues = pd.DataFrame(rows, columns=["set", "cue", "auroc"])
    scalars = {f"{row.set}: {row.cue} auroc": row.auroc for row in cues.itertuples() if row.set in tables}
    scalars |= {f"{name}: images": len(rows[rows["reason"] == ""]) for name, rows in tables.items()}
    scalars |= pair_identity(tables["pixel"]) if "pixel" in tables else {}
    return scalars | _unusable(tables, left_out), cues


def kept(run, tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame) -> tuple[dict, pd.DataFrame]:
    """`measure` as a step of a run: made once, kept in its audit.json, read from there afterwards."""

    def write(path: Path) -> None:
        figures, cues = measure(tables, left_out)
        manifest.write_json(path, manifest.plain({"figures": figures, "cues": cues.to_dict("records")}))

    found = json.loads(run.step("audit.json", write).read_text(encoding="utf-8"))
    return found["figures"], pd.DataFrame(found["cues"]).astype({"auroc": "float64"})


def _sets(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables, and every subset of the test table by itself."""
    usable = {name: rows[rows["reason"] == ""] for name, rows in tables.items()}
    subsets = usable["test"].groupby("subset") if "test" in usable else ()
    return usable | {f"test/{subset}": rows for subset, rows in subsets}


def _cues(name: str, rows: pd.DataFrame) -> list[dict]:
    quality = rows["jpeg_quality"].fillna(100)  # any other format loses as little as the best JPEG
    size = rows["width"] * rows["height"]
    cues = {
        "format": rows.groupby("format")["label"].transform("mean"),
        "jpeg_quality": quality,
        "size": size,
        "aspect": rows["width"] / rows["height"].clip(lower=1),
    }
    return [{"set": name, "cue": cue, "auroc": telling(rows["label"], values)} for cue, values in cues.items()]


def telling(labels: pd.Series, values: pd.Series) -> float:
    """AUROC of guessing the label from one number, whichever way round it works; NaN for one class alone."""
    from sklearn.metrics import roc_auc_score

    if labels.nunique() < 2:
        return float("nan")
    area = roc_auc_score(labels, values)
    return float(max(area, 1 - area))


def probe(rows: pd.DataFrame, limit: int = PROBED) -> float:
    """Cross-validated AUROC of a logistic regression on pixel statistics, pairs kept together.

    About .5 where the classes differ in meaning only; NaN for fewer than ten pairs. Looks at `limit` pictures
    at most, drawn by hash order of pairs.
    """
    chosen = some(rows, limit)
    features = _over_threads(lambda path: statistics.describe(decode.read(path).rgb), chosen["path"])
    return guessed(np.stack(features) if features else np.empty((0, 1)), chosen)


def guessed(features: np.ndarray, rows: pd.DataFrame) -> float:
    """Cross-validated AUROC of guessing the label of `rows` from `features` [rows, n] by logistic regression, pairs
    kept together; NaN for fewer than ten pairs or ten pictures of a class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if rows["pair_id"].nunique() < 10 or rows["label"].value_counts().reindex([0, 1], fill_value=0).min() < 10:
        return float("nan")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    fold = {"groups": rows["pair_id"], "cv": GroupKFold(5), "method": "decision_function"}
    scores = cross_val_predict(model, features, rows["label"].to_numpy(), **fold)
    return float(roc_auc_score(rows["label"], scores))


def some(rows: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most `limit` readable rows, whole pairs first, in hash order of pairs."""
    rows = rows[rows["reason"] == ""]
    order = pd.Series({pair: place for place, pair in enumerate(sources.ranked(rows["pair_id"], "audit"))})
    return rows.assign(place=rows["pair_id"].map(order)).sort_values(["place", "label"]).head(limit)


def _over_threads(function, items) -> list:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


def pair_identity(rows: pd.DataFrame, compared: int = COMPARED) -> dict[str, float]:
    """How alike the members of pairs are: shares with both members and of equal format, quality, size and
    quantisation tables (1.0 is right), and the PSNR between them in dB (identical content, worn by the
    autoencoder).
    """
    pairs = {pair: members.sort_values("label") for pair, members in rows.groupby("pair_id")}
    whole = [members for members in pairs.values() if list(members["label"]) == [0, 1]]
    same = pd.DataFrame([_same(members) for members in whole], columns=["format", "quality", "size"])
    chosen = [pairs[pair] for pair in sources.ranked(pairs, "audit") if len(pairs[pair]) == 2][:compared]
    looked = pd.DataFrame(_over_threads(_compared, chosen), columns=["tables", "psnr"])
    shares = {f"pixel: pairs of equal {name}": float(same[name].mean()) for name in same}
    return {
        "pixel: pairs complete": len(whole) / max(1, len(pairs)),
        **shares,
        "pixel: pairs of equal tables": float(looked["tables"].mean()),
        "pixel: psnr median": float(looked["psnr"].median()),
        "pixel: psnr least": float(looked["psnr"].min()),
    }


def _same(members: pd.DataFrame) -> tuple[bool, bool, bool]:
    real, fake = members.to_dict("records")
    quality = (
        real["jpeg_quality"] == fake["jpeg_quality"] or np.isnan([real["jpeg_quality"], fake["jpeg_quality"]]).all()
    )
    size = (real["width"], real["height"]) == (fake["width"], fake["height"])
    return real["format"] == fake["format"], bool(quality), size


def _compared(members: pd.DataFrame) -> tuple[bool, float]:
    (tables, rgb), (others, again) = (_tables_and_pixels(path) for path in members["path"])
    if rgb.shape != again.shape:
        return tables == others, float("nan")
    error = np.mean((rgb.astype(np.float32) - again) ** 2)
    return tables == others, float(10 * np.log10(255**2 / max(error, 1e-6)))


def _tables_and_pixels(path: str) -> tuple[list, np.ndarray]:
    data = contents(path)
    with opened(data) as image:
        tables = [*jpeg.component_tables(image), image.layer] if hasattr(image, "layer") else []
    return tables, decode.read(data).rgb


def _unusable(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None) -> dict[str, int]:
    kept = [rows.loc[rows["reason"] != "", ["reason"]].assign(set=name) for name, rows in tables.items()]
    every = pd.concat([*kept, left_out if left_out is not None else pd.DataFrame(columns=["set", "reason"])])
    counts = every.assign(short=briefly(every["reason"])).groupby(["set", "short"]).size()
    return {f"{name}: unusable, {reason}": int(count) for (name, reason), count in counts.items()}
