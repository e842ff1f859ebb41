"""Train the expert on pairs: a plain loop, resumable at any step, the same numbers however often it was killed."""

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
import torch

from aligngemini.core import processes, states
from aligngemini.core.progress import progress

from . import adapter, objective
from .backbone import Expert
from .batches import Batches, match_real_fake
from .params import ExpertParams


def train(expert: Expert, rows: pd.DataFrame, cfg: ExpertParams, checkpoints: Path, out: Path) -> Path:
    """Train on image-table rows; write adapter, head, card and history to `out`. Goes on from the newest
    readable checkpoint if there is one.
    """
    batches, optim = Batches(match_real_fake(rows, cfg.seed), cfg, 0), objective.optimiser(expert, cfg)
    steps = math.ceil(batches.stop / cfg.gradient_accumulation)
    state = Path(checkpoints) / "state.pt"
    begun, log = states.resume(state, _trained(expert), optim)
    batches.start = begun * cfg.gradient_accumulation
    expert.model.train()
    updates = progress(_updates(batches, cfg), "training the expert", steps - begun)
    for step, parts in enumerate(updates, begun):
        share = objective.rate(step, steps, cfg.mode)
        for group in optim.param_groups:
            group["lr"] = cfg.learning_rate * share
        log.append(
            {"step": step + 1, "loss": update(expert, optim, parts, cfg), "learning_rate": cfg.learning_rate * share}
        )
        if (step + 1) % cfg.checkpoint_steps == 0 and step + 1 < steps:
            states.save(state, _trained(expert), optim, step + 1, log)
    adapter.save(expert, Path(out), adapter.facts(expert, cfg, len(batches.frame), steps))
    pd.DataFrame(log).to_parquet(Path(out) / "history.parquet", index=False)
    return Path(out)


def _updates(batches: Batches, cfg: ExpertParams) -> Iterator[list[torch.Tensor]]:
    """The batches of each update, read ahead in other processes."""
    workers = min(cfg.workers, 1 + len(batches) // (50 * cfg.gradient_accumulation))
    ready = processes.ahead(batches, workers)
    if torch.cuda.is_available():
        ready = (each.pin_memory() for each in ready)
    while parts := list(islice(ready, cfg.gradient_accumulation)):
        yield parts


def update(expert: Expert, optim: torch.optim.Optimizer, parts: list[torch.Tensor], cfg: ExpertParams) -> float:
    """One update on batches whose first halves are real; returns their mean loss."""
    optim.zero_grad(set_to_none=True)
    total = torch.zeros((), device=expert.device)
    for pictures in parts:
        loss = objective.loss(expert, pictures, cfg.contrastive_weight) / len(parts)
        loss.backward()
        total += loss.detach()
    for _ in range(objective.moves(cfg.mode)):
        optim.step()
    return total.item()


def _trained(expert: Expert) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in expert.model.named_parameters() if weight.requires_grad}
