"""What gives the class away: the cross-validated AUROC of guessing the label from one cue alone."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from aligngemini.core import processes
from aligngemini.core.progress import progress
from aligngemini.images import decode
from aligngemini.images.failures import attempt, without_failures
from aligngemini.images.feed import Item
from aligngemini.images.image_files import BATCH
from aligngemini.images.table import sample_whole_pairs
from aligngemini.scores.cv_auroc import Auroc, logreg_cv_auroc, tree_cv_auroc

from . import pixel_statistics

PROBE, NETWORK, WORDS = "pixel probe", "pixel network", "words probe"  # see the image: shown, not held against a set
PROBED = 600  # images of a set that the pixel probe sees: seconds, and an AUROC to about two points
JUDGED = 20_000  # images of a set whose other cues are measured: an AUROC to half a point
KEYS = 50  # names of texts that are distinguished, the most frequent ones


def _text_names(rows: pd.DataFrame) -> pd.DataFrame:
    names = rows["texts"].str.get_dummies("\n")
    return names[names.sum().nlargest(KEYS).index]


FEATURES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {  # [rows, n] of image-table rows
    "format": lambda rows: pd.get_dummies(rows["format"]),
    "size": lambda rows: rows[["width", "height"]],
    "aspect": lambda rows: (rows["width"] / rows["height"].clip(lower=1)).to_frame(),
    "JPEG quality": lambda rows: rows[["jpeg_quality"]].fillna(100),  # other formats lose as little as the best JPEG
    "camera EXIF": lambda rows: rows[["camera"]],  # from here on the columns of file_facts
    "C2PA": lambda rows: rows[["c2pa"]],
    "PNG text": _text_names,
    "near-constant": lambda rows: rows[["constant"]],
}
NAMES = tuple(FEATURES)
TABLE_CUES = NAMES[:4]  # those that need no more than an image table


def single_feature_auroc(rows: pd.DataFrame, names: Iterable[str] = NAMES) -> dict[str, Auroc]:
    """AUROC of guessing the label (0, 1) of usable image-table rows from each of the cues `names`.

    Images of one pair_id stay in one fold. About .5: the cue says nothing; NaN: too few groups in a class.
    """
    sample = sample_whole_pairs(rows.drop_duplicates(["image_id", "label"]), JUDGED)
    return {name: tree_cv_auroc(FEATURES[name](sample).to_numpy(np.float64), sample) for name in names}


def pixel_probe(rows: pd.DataFrame) -> Auroc:
    """AUROC of guessing the label of image-table rows from pixel statistics; reads at most PROBED of their files."""
    statistics, sample = described(rows, _statistics)
    return logreg_cv_auroc(np.array(statistics), sample)


def _statistics(item: Item, rgb: np.ndarray) -> np.ndarray:
    return pixel_statistics.describe(rgb)


def described(rows: pd.DataFrame, describe: Callable, label: str = "", workers: int = 2) -> tuple[list, pd.DataFrame]:
    """`describe(item, rgb)` of each image of a sample of PROBED distinct rows, and these rows, pair by pair; `workers`
    processes read and describe.

    Images that cannot be described are left out, and printed. The item's name is the image_id.
    """
    sample = sample_whole_pairs(rows.drop_duplicates(["image_id", "label"]), PROBED)
    items = [Item(*pair) for pair in zip(sample["image_id"], sample["path"], strict=True)]
    results = processes.made(partial(_described, describe), items, workers, BATCH)
    results = progress(results, label, total=len(items)) if label else results
    return without_failures(list(results), sample, "a probe")


def _described(describe: Callable, item: Item) -> Any:
    """What `describe` gives of one image, or the exception that it raises."""
    return attempt(lambda: describe(item, decode.pixels(item.source)))
