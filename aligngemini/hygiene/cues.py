"""What gives the class away without a look at the picture: each cue alone, as a cross-validated AUROC."""

import numpy as np
import pandas as pd

from ..images import audit

CONTAINER = ("format", "size", "aspect", "JPEG quality")  # told by every image table
NAMES = (*CONTAINER, "camera EXIF", "C2PA", "PNG text", "near-constant")
PROBE, WORDS = "pixel probe", "words probe"  # see the picture: shown, and not held against a set
LEAST = 10  # pictures, and kins, of each class: fewer tell nothing
JUDGED = 20_000  # pictures of a set that are asked: an AUROC to half a point
KEYS = 50  # names of texts that are told apart, the most frequent ones


def measured(rows: pd.DataFrame) -> dict[str, float]:
    """AUROC of guessing the label (0, 1) from each of NAMES and by PROBE, in folds that keep a kin together.

    `rows` has pair_id, label, reason "", the facts of a scan and of a look. About .5: says nothing; NaN: too few
    pictures or kins of a class to tell.
    """
    chosen = _asked(rows)
    return _areas(_container(chosen) | _looked(chosen), chosen) | {PROBE: _probe(chosen)}


def container(rows: pd.DataFrame) -> dict[str, float]:
    """`measured` for CONTAINER alone, which the rows of any image table tell."""
    chosen = _asked(rows)
    return _areas(_container(chosen), chosen)


def _asked(rows: pd.DataFrame) -> pd.DataFrame:
    return audit.some(rows.drop_duplicates(["image_id", "label"]), JUDGED)


def _areas(features: dict[str, pd.DataFrame], rows: pd.DataFrame) -> dict[str, float]:
    return {name: guessed(values.to_numpy(np.float64), rows) for name, values in features.items()}


def _container(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The features [rows, n] of each of CONTAINER."""
    return {
        "format": pd.get_dummies(rows["format"]),
        "size": rows[["width", "height"]],
        "aspect": (rows["width"] / rows["height"].clip(lower=1)).to_frame(),
        "JPEG quality": rows[["jpeg_quality"]].fillna(100),  # any other format loses as little as the best JPEG
    }


def _looked(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The features [rows, n] of the other NAMES, which a look at the files tells."""
    keys = rows["texts"].str.get_dummies("\n")
    return {
        "camera EXIF": rows[["camera"]],
        "C2PA": rows[["c2pa"]],
        "PNG text": keys[keys.sum().nlargest(KEYS).index],
        "near-constant": rows[["constant"]],
    }


def groups(rows: pd.DataFrame) -> int:
    """How many groups of images that belong together the class with fewer of them has; 0 where one is absent."""
    return int(rows.groupby("label")["pair_id"].nunique().reindex([0, 1], fill_value=0).min())


def guessed(features: np.ndarray, rows: pd.DataFrame) -> float:
    """Cross-validated AUROC of a small tree on `features` [rows, n]; .5 where they are all the same."""
    from sklearn.tree import DecisionTreeClassifier

    if groups(rows) < LEAST:
        return float("nan")
    if not features.size or (features == features[0]).all():
        return 0.5
    tree = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=3, class_weight="balanced", random_state=0)
    return audit.crossed(tree, features, rows)


def _probe(rows: pd.DataFrame) -> float:
    seen = audit.some(rows[rows["statistics"] != b""], audit.PROBED)
    values = np.frombuffer(b"".join(seen["statistics"]), np.float32)
    return audit.guessed(values.reshape(len(seen), -1 if len(seen) else 1), seen)
