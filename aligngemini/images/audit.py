"""Probes: how well a logistic regression guesses the label, from pixel statistics or from other features."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from ..workbook import seeds
from ..workbook.progress import say
from . import decode, statistics
from .failures import attempt, reason
from .filenames import printable

PROBED = 600  # pictures of each set the probe looks at: seconds, and an AUROC to about two points


def probe(rows: pd.DataFrame, limit: int = PROBED) -> float:
    """Cross-validated AUROC of a logistic regression on pixel statistics, pairs kept together.

    About .5 where the classes differ in meaning only; NaN for fewer than ten pairs. Looks at `limit` pictures
    at most, drawn by hash order of pairs.
    """
    chosen = some(rows, limit)
    features = over_threads(lambda path: statistics.describe(decode.read(path).rgb), chosen["path"])
    features, chosen = spared(features, chosen)
    return guessed(np.stack(features) if features else np.empty((0, 1)), chosen)


def spared(results: Sequence, rows: pd.DataFrame) -> tuple[list, pd.DataFrame]:
    """What a probe found of each row, and the rows, without those where it is an exception: it is said which."""
    good = [not isinstance(result, Exception) for result in results]
    for result, path in zip(results, rows["path"], strict=True):
        if isinstance(result, Exception):
            say(f"left out of a probe: {printable(path)}, {reason('it fails', result)}")
    return [result for result, fine in zip(results, good, strict=True) if fine], rows[good]


def guessed(features: np.ndarray, rows: pd.DataFrame) -> float:
    """Cross-validated AUROC of guessing the label of `rows` from `features` [rows, n] by logistic regression, pairs
    kept together; NaN for fewer than ten pairs or ten pictures of a class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if rows["pair_id"].nunique() < 10 or rows["label"].value_counts().reindex([0, 1], fill_value=0).min() < 10:
        return float("nan")
    return crossed(make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)), features, rows)


def crossed(model, features: np.ndarray, rows: pd.DataFrame) -> float:
    """Cross-validated AUROC of a classifier of scikit-learn on `features` [rows, n], pairs kept together."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    method = "decision_function" if hasattr(model, "decision_function") else "predict_proba"
    fold = {"groups": rows["pair_id"], "cv": GroupKFold(5), "method": method}
    scores = cross_val_predict(model, features, rows["label"].to_numpy(), **fold)
    return float(roc_auc_score(rows["label"], scores if scores.ndim == 1 else scores[:, 1]))


def some(rows: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most `limit` readable rows, whole pairs first, in hash order of pairs."""
    rows = rows[rows["reason"] == ""]
    order = pd.Series({pair: place for place, pair in enumerate(seeds.ranked(rows["pair_id"], "audit"))})
    return rows.assign(place=rows["pair_id"].map(order)).sort_values(["place", "label"]).head(limit)


def over_threads(function, items) -> list:
    """Its results, or the exceptions that it raised."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(partial(attempt, function), items))
