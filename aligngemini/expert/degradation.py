"""Whether an image is degraded. A degraded image has lost its pixel traces, so the expert should not call it fake.

A logistic regression on the frozen backbone tells training images from degraded copies of them. LoRA is trained to see
traces and to ignore the rest; without it the features tell degraded images better from weak traces.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aligngemini.branches import logistic
from aligngemini.core import json_file, manifest, reading
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress, say
from aligngemini.images import decode, degrade
from aligngemini.images.feed import batched
from aligngemini.scores import thresholds

from .backbone import Expert, Probe
from .params import ExpertParams
from .views import window

STATE, FORM = "degradation.json", {"weights": list, "bias": float}
IMAGES = 1600  # to fit on, at most; each once as it is and once degraded
BUDGET = 0.02  # share of the degraded real validation images that may still be called fake


def fit(
    expert: Expert,
    rows: pd.DataFrame,
    validation: pd.DataFrame,
    chain: Mapping[str, Any],
    config: ExpertParams,
    features: dict[str, np.ndarray] | None = None,
) -> Probe | None:
    """Fit on rows of an image table and choose on validation images how degraded is too degraded: as little as
    possible, so that no more than BUDGET of the degraded reals are called fake. Images that are degraded already take
    no part. None, and a line is printed, where that leaves too few, or where the expert keeps the budget anyway.

    chain: parameters of notebook 01, of which the ranges of the degradation are used. features: gets what
    `Expert.frozen` gives for each image as it is, float64 [3 d] by image_id.
    """
    fitted, checked = (each[each["degrade_jpeg"].isna()].sort_values("image_id") for each in (rows, validation))
    fitted, label = fitted.head(IMAGES), checked["label"].to_numpy()
    if fitted.empty or set(label) != {0, 1}:
        say("the training or validation images are degraded themselves, so the expert does not learn to abstain")
        return None
    (frozen,) = _seen(fitted, [expert.frozen], chain, config)
    weights, bias = logistic.fitted(frozen, np.tile([0, 1], len(fitted)), scaled=True)
    frozen_checked, p_fake = _seen(checked, [expert.frozen, expert.p_fake], chain, config)
    if features is not None:
        features |= zip(fitted["image_id"], frozen[::2], strict=True)
        features |= zip(checked["image_id"], frozen_checked[::2], strict=True)
    log_odds = frozen_checked @ weights + bias
    limit = _limit(log_odds[1::2], *p_fake.reshape(-1, 2).T, label)
    if np.isinf(limit):
        say("the expert hardly ever calls a degraded photograph fake, so it does not abstain")
        return None
    return Probe(weights, bias - limit)


def _seen(
    rows: pd.DataFrame, looks: Sequence[Callable[[list], np.ndarray]], chain: Mapping[str, Any], config: ExpertParams
) -> list[np.ndarray]:
    """What each of `looks` gives for n images, each as it is and then degraded: [2 n, ...]. Pairs are degraded
    alike.
    """
    ranges = degrade.ranges(chain)
    parts, seen = batched(list(rows.itertuples()), config.score_batch_size), []
    for part in progress(parts, "looking at degraded copies"):
        crops = []
        for row in part:
            rgb = decode.read(row.path).rgb
            values = degrade.draw(ranges, degrade.generator(config.seed, f"probe/{row.pair_id}"))
            crops += [window(image, config.crop) for image in (rgb, degrade.degrade(rgb, values))]
        seen.append([look(crops) for look in looks])
    return [np.concatenate(each) for each in zip(*seen, strict=True)]


def _limit(log_odds: np.ndarray, plain: np.ndarray, degraded: np.ndarray, label: np.ndarray) -> float:
    """The highest log-odds of being degraded below which at most BUDGET of the reals, degraded, are called fake.

    log_odds: of the degraded copies; plain, degraded: p(fake) of the images and of their copies.
    """
    accused = np.sort(log_odds[(label == 0) & (degraded > thresholds.choose(label, plain).value)])
    allowed = int(BUDGET * (label == 0).sum() + 1e-9)
    return float(accused[allowed]) if allowed < len(accused) else np.inf


def save(probe: Probe, folder: Path) -> Path:
    """Write the probe beside an adapter."""
    return json_file.write(Path(folder) / STATE, {"weights": probe.weights.tolist(), "bias": float(probe.bias)})


def load(folder: Path, width: int) -> Probe | None:
    """The probe beside the adapter in `folder`, for class tokens of that width; None if it has none. Raises Refused."""
    if not (Path(folder) / STATE).exists():
        return None
    state = reading.known(Path(folder) / STATE)
    numbers = manifest.fits(state, FORM) and all(manifest.fits(weight, float) for weight in state["weights"])
    if not numbers or len(state["weights"]) != 3 * width:
        raise Refused(f"{folder}/{STATE} is damaged or of another backbone: fetch or train the adapter again.")
    return Probe(np.array(state["weights"]), state["bias"])
