"""Sampling that depends on a row's own seed alone: neither on its batch nor on the rows before it."""

import numpy as np
import torch
from transformers import LogitsProcessor


class SeededSampler(LogitsProcessor):
    """Draws each row's next token by that row's own numbers, for a `generate` that samples nothing itself.

    `chances`: uniform numbers in [0, 1), float64 [rows, tokens]. Of a row's tokens, the most likely that together have
    probability `top_p` stay at this `temperature`; the row's next number says which of them it is. Another batch
    changes a draw only where rounding moves a probability across that number.
    """

    def __init__(self, chances: np.ndarray, temperature: float, top_p: float):
        self.chances, self.temperature, self.top_p = torch.tensor(chances), temperature, top_p
        self.step = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` [rows, vocabulary] with all but the drawn token ruled out."""
        likely, order = (scores.double() / self.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
        before = likely.cumsum(-1) - likely
        total = torch.where(before < self.top_p, likely, 0.0).cumsum(-1)
        chance = self.chances[:, self.step, None].to(total.device)
        self.step += 1
        place = torch.searchsorted(total, chance * total[:, -1:], right=True).clamp(max=total.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, order.gather(1, place), 0.0)
