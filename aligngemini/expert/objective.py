"""What the expert's training lowers, and by which steps: as the released DDA code does it, or as it was meant."""

import math

import torch
from torch.nn import functional

from .backbone import Expert
from .params import ExpertParams

CYCLE = 1000  # updates in half a wave of the released code's learning rate
LOWEST = 0.001  # share of the learning rate at the bottom, as in DDA's code


def loss(expert: Expert, images: torch.Tensor, contrastive_weight: float = 0.0) -> torch.Tensor:
    """Mean binary cross-entropy, in nats, of a batch whose first half is real; with a weight w above 0 it counts
    1 - w, and w the contrastive loss of the features.
    """
    return losses(expert, [images], contrastive_weight)[0]


def losses(expert: Expert, parts: list[torch.Tensor], contrastive_weight: float = 0.0) -> torch.Tensor:
    """The `loss` of each batch, [k]; the expert sees all their images at once."""
    sizes = [len(images) for images in parts]
    images = [expert.moved(each) for each in parts]  # joined there: what is joined here lies in no pinned memory
    judged = expert.judged(torch.cat(images) if len(images) > 1 else images[0])
    each = zip(*(values.split(sizes) for values in judged), strict=True)
    return torch.stack([_loss(features, logits, contrastive_weight) for features, logits in each])


def _loss(features: torch.Tensor, logits: torch.Tensor, contrastive_weight: float) -> torch.Tensor:
    label = torch.arange(2, device=logits.device).repeat_interleave(len(logits) // 2).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, label)
    if not contrastive_weight:
        return entropy
    return (1 - contrastive_weight) * entropy + contrastive_weight * contrast(features, label)


def start(config: ExpertParams) -> float | None:
    """The `loss` of an expert that guesses, ln 2; None with a contrastive share, whose start nobody knows."""
    return None if config.contrastive_weight else math.log(2)


def contrast(features: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Contrastive loss of features float [n, d] and labels [n]: like ones together, unlike ones at least 1 apart.

    As DDA uses it (pytorch-metric-learning's defaults): Euclidean distance of unit vectors, hinges that are not
    squared, each kind of pair averaged over those that still count.
    """
    unit = functional.normalize(features, dim=1)
    # the distance itself has no slope at zero, where every image meets itself
    apart = (2 - 2 * unit @ unit.T).clamp_min(1e-12).sqrt()
    alike = label[:, None] == label[None]
    others = ~torch.eye(len(label), dtype=torch.bool, device=label.device)
    kinds = (apart[alike & others], functional.relu(1 - apart[~alike]))
    near, far = (each.sum() / (each > 0).sum().clamp_min(1) for each in kinds)
    return near + far


def optimiser(expert: Expert, config: ExpertParams) -> torch.optim.AdamW:
    """AdamW over the trainable weights, each listed once; betas and weight decay 0 as in DDA's code."""
    weights = [weight for weight in expert.model.parameters() if weight.requires_grad]
    return torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.999), weight_decay=0.0)


def moves(mode: str) -> int:
    """How often one update moves the weights.

    The release lists every LoRA weight twice, so that AdamW visits it twice with one gradient: that is the same as
    two of its steps, and torch warns of such lists (pytorch#40967).
    """
    return 2 if mode == "faithful" else 1


def rate(step: int, steps: int, mode: str = "fixed") -> float:
    """Share of the learning rate at `step`: one cosine down to 0.1 % over the whole run.

    faithful: the release's cosine of 1000 updates, which nobody restarts: it climbs again for as many.
    """
    length = CYCLE if mode == "faithful" else steps
    return LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * step / length))
