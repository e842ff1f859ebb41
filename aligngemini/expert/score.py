"""p(fake) of the expert: the sigmoid of its logit."""

import torch

from .backbone import Expert
from .views import tensor


@torch.inference_mode()
def p_fake(expert: Expert, crops: list) -> list[float]:
    """p(fake) in [0, 1] for uint8 crops [size, size, 3]."""
    return expert.logits(tensor(crops)).double().sigmoid().tolist()
