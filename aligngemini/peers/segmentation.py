"""How well a GAMMA finds the pixels that were manipulated, in photographs that it was not trained on."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from aligngemini.analysis import pictures
from aligngemini.branches import registry
from aligngemini.core.seeds import generator
from aligngemini.images import feed

from . import gamma, manipulate
from .manipulate import KINDS, Manipulated

IMAGES, BATCH = 100, 16  # photographs behind each row of the table, and images judged at once
COLOURS = np.array([(213, 94, 0), (0, 114, 178)])  # of generated and of moved pixels


def table(branches: Sequence, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row per detector that segments and kind of manipulation, the last for photographs as they are.

    `rows` is the pixel set; its validation split counts. Columns: detector, manipulation, images, iou, f1 (both over
    all pixels and both masks), false_alarms (share of the untouched pixels); NaN where there are no such pixels.
    """
    found = []
    for branch in _able(branches):
        for kind in KINDS:
            shown = examples(rows, kind, branch.crop, seed)
            pairs = [(each.fake, each.masks) for each in shown]
            found.append((registry.title(branch.name), kind, len(shown), *_agreement(branch, pairs)))
        pairs = [(each.real, np.zeros_like(each.masks)) for each in shown]
        found.append((registry.title(branch.name), "none", len(shown), *_agreement(branch, pairs)))
    return pd.DataFrame(found, columns=["detector", "manipulation", "images", "iou", "f1", "false_alarms"])


def examples(rows: pd.DataFrame, kind: str, crop: int, seed: int, most: int = IMAGES) -> list[Manipulated]:
    """Up to `most` validation photographs of the pixel set, manipulated; the same for every detector of that crop."""
    pairs = gamma.matched(rows.query("split == 'validation'"), seed)
    draws = [generator("masks", seed, kind, name) for name in pairs.pair_id[:most]]
    return [manipulate.example(pairs, place, kind, crop, rng) for place, rng in enumerate(draws)]


def _agreement(branch, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
    if not pairs:
        return agreement(*np.zeros((2, 0, 1, 1, 2), bool))
    images, truth = zip(*pairs, strict=True)
    found = [branch.masks(part) for part in feed.batched(images, BATCH)]
    return agreement(np.concatenate(found), np.stack(truth))


def agreement(found: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """IoU and F1 of bool masks [n, H, W, 2] over all pixels together, and the share of the untouched pixels in which
    something is found; NaN where there are no such pixels.
    """
    both, either, untouched = (found & truth).sum(), (found | truth).sum(), ~truth.any(3)
    iou, f1 = (both / either, 2 * both / (both + either)) if truth.any() else (np.nan, np.nan)
    return iou, f1, found.any(3)[untouched].mean() if untouched.any() else np.nan


def sheet(branches: Sequence, rows: pd.DataFrame, seed: int) -> HTML:
    """One manipulated photograph of each kind, its mask, and what each detector found there."""
    arrays, names = [], []
    for branch in _able(branches):
        for kind in KINDS:
            for each in examples(rows, kind, branch.crop, seed, most=1):
                found = branch.masks([each.fake])[0]
                arrays += [each.fake, painted(each.fake, each.masks), painted(each.fake, found)]
                names += [kind, "where", f"{registry.title(branch.name)}: where"]
    return pictures.strip(arrays, names)


def painted(rgb: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] in grey, with the masks, bool [H, W, 2], in their colours."""
    grey = np.repeat(rgb.mean(2, keepdims=True), 3, 2)
    for colour, mask in zip(COLOURS, np.moveaxis(masks, 2, 0), strict=True):
        grey[mask] = (grey[mask] + colour) / 2
    return grey.astype(np.uint8)


def _able(branches: Sequence) -> Iterator:
    return (each for each in branches if each.kind == gamma.Gamma.kind and each.segments)
