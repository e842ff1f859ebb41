"""Score images with the expert: centre crop, no resize, sigmoid."""

from functools import partial

import pandas as pd
import torch

from ..branches import scoring
from .backbone import Expert
from .views import tensor, window


@torch.inference_mode()
def p_fake(expert: Expert, crops: list) -> list[float]:
    """p(fake) in [0, 1] for uint8 crops [size, size, 3]."""
    return expert.logits(tensor(crops)).double().sigmoid().tolist()


def score(
    expert: Expert, table: pd.DataFrame, supervision: str, crop: int, batch_size: int = 64, kept=None
) -> pd.DataFrame:
    """The score table of every distinct image of an image table, each judged by its centre crop; `kept` as for
    branches.scoring.table.
    """
    view, asked = partial(window, size=crop), partial(p_fake, expert)
    return scoring.table(table, "expert", view, asked, supervision, batch_size, kept)
