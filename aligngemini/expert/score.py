"""Score images with the expert: centre crop, no resize, sigmoid."""

import pandas as pd
import torch

from ..images.feed import Feed, scored
from ..scores import table as score_table
from .backbone import Expert
from .views import tensor, window


@torch.inference_mode()
def p_fake(expert: Expert, crops: list) -> list[float]:
    """p(fake) in [0, 1] for uint8 crops [size, size, 3]."""
    return expert.logits(tensor(crops)).double().sigmoid().tolist()


def score(expert: Expert, table: pd.DataFrame, supervision: str, crop: int, batch_size: int = 64) -> pd.DataFrame:
    """The score table of every distinct image of an image table, each judged by its centre crop."""
    feed = Feed(table, lambda rgb: window(rgb, crop), batch_size, "scoring with the expert")
    scores: dict[str, float] = {}
    for ids, crops in feed:
        scores.update(zip(ids, p_fake(expert, crops), strict=True))
    told = scored(table, scores, feed.reasons)
    return score_table.make(told.image_id, told.score, "expert", supervision, told.reason)
