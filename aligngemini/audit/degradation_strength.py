"""How strong the degradation must be: AUROC of the pixel probes on reconstructions behind more and more of it."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from aligngemini.images import degrade
from aligngemini.images.feed import Item
from aligngemini.scores.cv_auroc import UNKNOWN, logreg_cv_auroc

from . import cues, pixel_network, pixel_statistics

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def measure(
    rows: pd.DataFrame, ranges: Mapping[str, Sequence[float]], seed: int, workers: int = 1, network: bool = False
) -> pd.DataFrame:
    """AUROC of the pixel probe on pairs behind each share of the degradation `ranges`, one row for each share: columns
    share, the middles of the four ranges, auroc, low and high, and with `network` the same of the pixel network.

    Share 0 is the images as they are, share 1 the whole chain. Each image draws its own values, as in the semantic
    set.
    """
    ladder = [degrade.weaker(ranges, share) for share in SHARES]
    seen, sample = cues.described(rows, partial(_seen, ladder, seed, network), "probing degraded pictures", workers)
    table = pd.DataFrame([{name: np.mean(pair) for name, pair in rung.items()} for rung in ladder])[list(degrade.DRAWN)]
    table.insert(0, "share", SHARES)
    areas = []
    for step in range(len(ladder)):
        statistics, crops = [each[step][0] for each in seen], [each[step][1] for each in seen]
        areas.append((logreg_cv_auroc(np.array(statistics), sample) if seen else UNKNOWN)._asdict())
        if network:
            area = pixel_network.auroc(statistics, crops, sample) if seen else UNKNOWN
            areas[-1] |= {f"network_{name}": value for name, value in area._asdict().items()}
    return pd.concat([table, pd.DataFrame(areas)], axis=1)


def _seen(ladder: Sequence[dict], seed: int, network: bool, item: Item, rgb: np.ndarray) -> list[tuple]:
    """Pixel statistics of uint8 [H, W, 3] behind each rung of the ladder, and what the network sees of it."""
    key = f"strength/{item.name}"
    rest = [degrade.degrade(rgb, degrade.draw(rung, degrade.generator(seed, key))) for rung in ladder[1:]]
    return [(pixel_statistics.describe(each), pixel_network.crop(each) if network else None) for each in (rgb, *rest)]
