"""Where a detector's evidence lies: is it on the artifacts that people outlined? The measure is ours.

A square of an image is replaced by its own mean colour, which takes its texture and leaves its brightness. The evidence
of the square is how far this lowers the log odds of fake. No gradient is needed, so any branch that looks at pixels
without resizing them can be asked.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.special import logit
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from aligngemini.branches.branch import Branch
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.core.seeds import generator
from aligngemini.images import decode
from aligngemini.images.header import Unreadable
from aligngemini.images.loaders.archives import MASKS

COLUMNS = ["path", "auroc", "hit", "chance", "reason"]
BATCH = 64  # covered images that are scored at once
LEAST = 1e-15  # p(fake) whose log odds are still told apart


def evidence(branch: Branch, view: np.ndarray, side: int) -> np.ndarray:
    """Evidence of each square of `side` px of a view uint8 [H, W, 3]: float64 [H // side, W // side].

    Positive where the square speaks for fake. What is left over at the lower and right edge is never covered.
    """
    views = [view, *(covered(view, [square]) for square in squares(view.shape, side))]
    scores = [branch.p_fake(views[at : at + BATCH]) for at in range(0, len(views), BATCH)]
    odds = logit(np.clip(np.concatenate(scores), LEAST, 1 - LEAST))
    return (odds[0] - odds[1:]).reshape(view.shape[0] // side, view.shape[1] // side)


def squares(shape: tuple[int, ...], side: int) -> list[tuple[slice, slice]]:
    """The whole squares of `side` px of a view of that shape, row by row."""
    rows, columns = (range(0, length // side * side, side) for length in shape[:2])
    return [np.s_[top : top + side, left : left + side] for top in rows for left in columns]


def covered(view: np.ndarray, chosen: Iterable[tuple[slice, slice]]) -> np.ndarray:
    """The view uint8 [H, W, 3] with each of the chosen squares replaced by its own mean colour."""
    changed = view.copy()
    for square in chosen:
        changed[square] = view[square].mean((0, 1)).round()
    return changed


def outlines(path: str) -> dict[str, Path]:
    """The masks of the artifacts of an unpacked picture of X-AIGD, by category. Raises Unreadable where it has none."""
    picture = Path(path)
    files = sorted((picture.parents[1] / MASKS / picture.parent.name / picture.stem).glob("*.png"))
    if not files:
        raise Unreadable("no artifact is outlined in it")
    return {file.stem: file for file in files}


def outlined(path: str) -> np.ndarray:
    """The mask of all artifacts of an unpacked picture of X-AIGD, bool [H, W]. Raises Unreadable where it has none."""
    return np.any([np.asarray(Image.open(file)) > 0 for file in outlines(path).values()], axis=0)


def on_artifacts(branch: Branch, images: pd.DataFrame, side: int = 28, mask_of: Callable = outlined) -> pd.DataFrame:
    """Whether the evidence of `branch` lies on the artifacts of `images` (column path): a row of COLUMNS for each.

    auroc: of the evidence of squares inside the artifacts against that outside; a square that lies partly inside counts
    for both, by its parts. hit: whether the square of most evidence touches an artifact, the pointing game; chance: the
    share of squares that do. NaN with a reason where the view shows no artifact or nothing else, or cannot be made.
    `mask_of` gives the mask of a path, bool [H, W], or raises Unreadable. Raises Refused for a branch that does not
    look at pixels, and for a `side` that does not fit its crop.
    """
    if not 0 < side <= (branch.crop or side):
        raise Refused(f"Squares of {side} px do not fit a crop of {branch.crop} px: give a side from 1 to that.")
    rows = [_row(branch, path, side, mask_of) for path in progress(list(images["path"]), "covering squares")]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(branch: Branch, path: str, side: int, mask_of: Callable) -> tuple:
    try:
        return path, *_measured(branch, decode.read(path).rgb, mask_of(path), side), ""
    except Unreadable as error:
        return path, np.nan, np.nan, np.nan, str(error)


def _measured(branch: Branch, rgb: np.ndarray, mask: np.ndarray, side: int) -> tuple[float, float, float]:
    """auroc, hit and chance of uint8 [H, W, 3] and its mask; squares beside the image, on padding, do not count."""
    if mask.shape != rgb.shape[:2]:
        raise Unreadable(f"its mask has {mask.shape[::-1]} px, not {rgb.shape[1::-1]}")
    view = branch.prepare(rgb)
    if getattr(view, "ndim", 0) != 3 or view.dtype != np.uint8:
        raise Refused(f"{branch.name} does not look at pixels as they are: name another branch, such as an expert.")
    shown = branch.prepare(np.stack([255 * mask, np.full(mask.shape, 255), 0 * mask], -1).astype(np.uint8)) / 255
    inside, image, _ = np.transpose([shown[square].mean((0, 1)) for square in squares(view.shape, side)])
    whole, inside = image == 1, inside[image == 1]
    if not 0 < inside.sum() < len(inside):
        raise Unreadable("what is looked at of it shows no artifact, or nothing else")
    score = evidence(branch, view, side).ravel()[whole]
    label, weight = np.repeat([1, 0], len(inside)), np.concatenate([inside, 1 - inside])
    auroc = roc_auc_score(label, np.tile(score, 2), sample_weight=weight)
    return auroc, float(inside[score.argmax()] > 0), float((inside > 0).mean())


def summary(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Means over the images of `on_artifacts`, or of `explanations.on_labels`, with intervals: columns measure, value,
    low, high, n.

    `hit less chance` is above zero where the evidence points at artifacts more often than a random square does, or an
    explanation at their categories more often than that of another image. At least two images are needed for an
    interval.
    """
    table = table.dropna(subset="hit")
    values = {name: table[name] for name in ("auroc", "hit") if name in table}
    values["hit less chance"] = table["hit"] - table["chance"]
    rows = [(name, each.mean(), *_interval(each, name, confidence), len(each)) for name, each in values.items()]
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high", "n"])


def _interval(values: pd.Series, name: str, confidence: float) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    rng = generator("evidence", name)
    resampled = bootstrap((values,), np.mean, confidence_level=confidence, method="percentile", rng=rng)
    return tuple(resampled.confidence_interval)
