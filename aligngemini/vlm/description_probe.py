"""What a vision-language model says of an image before any preference: a probe of meaning."""

from functools import partial

import numpy as np
import pandas as pd
from PIL import Image

from aligngemini.core.runs import Run
from aligngemini.images.failures import Failures, attempt, each, without_failures
from aligngemini.images.feed import Feed, Item, batched
from aligngemini.images.table import sample_whole_pairs
from aligngemini.scores.cv_auroc import logreg_cv_auroc

from .image_size import look
from .load import VLM
from .verdict import spoken

DESCRIBE = "Describe the picture."
PROBED = 300  # images described of each set: an AUROC to about three points
LONGEST = 64  # tokens of a description


def describe(vlm: VLM, images: list[Image.Image]) -> list[str]:
    """The model's own descriptions, greedy, of at most LONGEST tokens."""
    return spoken(vlm, images, "", LONGEST, DESCRIBE)


def once_per_run(run: Run, vlm: VLM, rows: pd.DataFrame, batch: int) -> float:
    """`description_auroc`, computed once in a run and stored in its words.json."""
    auroc = run.compute("words.json", _measured, vlm, rows, batch)["auroc"]
    return float("nan") if auroc is None else auroc


def _measured(vlm: VLM, rows: pd.DataFrame, batch: int) -> dict[str, float]:
    return {"auroc": description_auroc(vlm, rows, batch)}


def description_auroc(vlm: VLM, rows: pd.DataFrame, batch: int = 32) -> float:
    """Cross-validated AUROC of guessing the label of image-table rows from the words of their descriptions alone.

    About .5 where the classes show the same things: what a pure pixel set must do. NaN for too few pairs.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    chosen, said, failures = sample_whole_pairs(rows, PROBED), [], Failures()
    batches = batched([Item(place, path) for place, path in enumerate(chosen["path"])], batch)
    for part in Feed(batches, lambda item, rgb: attempt(look, vlm, rgb), "describing"):
        said += each(partial(describe, vlm), [view for _, view in part])
        failures.note("words", said[-len(part) :])
    failures.check()
    said, chosen = without_failures(said, chosen, "a probe")
    words = CountVectorizer(ngram_range=(1, 2), min_df=2, binary=True, token_pattern=r"\w+")
    features = words.fit_transform(said).toarray() if any(said) else np.zeros((len(said), 1))
    return logreg_cv_auroc(features.astype(np.float64), chosen).auroc
