"""What gives the class away without a look at the picture: each cue alone, as a cross-validated AUROC."""

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..images import decode
from ..images.failures import attempt, without_failures
from ..images.table import sample_whole_pairs
from ..scores.cv_auroc import logreg_cv_auroc, tree_cv_auroc
from . import pixel_statistics

CONTAINER = ("format", "size", "aspect", "JPEG quality")  # told by every image table
NAMES = (*CONTAINER, "camera EXIF", "C2PA", "PNG text", "near-constant")
PROBE, WORDS = "pixel probe", "words probe"  # see the picture: shown, and not held against a set
PROBED = 600  # images of each set that the pixel probe sees: seconds, and an AUROC to about two points
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
    return sample_whole_pairs(rows.drop_duplicates(["image_id", "label"]), JUDGED)


def _areas(features: dict[str, pd.DataFrame], rows: pd.DataFrame) -> dict[str, float]:
    return {name: tree_cv_auroc(values.to_numpy(np.float64), rows) for name, values in features.items()}


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


def _probe(rows: pd.DataFrame) -> float:
    seen = sample_whole_pairs(rows[rows["statistics"] != b""], PROBED)
    values = np.frombuffer(b"".join(seen["statistics"]), np.float32)
    return logreg_cv_auroc(values.reshape(len(seen), -1 if len(seen) else 1), seen)


def pixel_probe(rows: pd.DataFrame) -> float:
    """AUROC of guessing the label of image-table rows from pixel statistics; reads at most PROBED of their files."""
    chosen = sample_whole_pairs(rows, PROBED)
    described = Parallel(2, prefer="threads")(delayed(attempt)(_described, path) for path in chosen["path"])
    features, chosen = without_failures(described, chosen, "a probe")
    return logreg_cv_auroc(np.array(features), chosen)


def _described(path: str) -> np.ndarray:
    return pixel_statistics.describe(decode.read(path).rgb)
