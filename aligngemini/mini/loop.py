"""One small training loop for all mini bases: batches made by step number, resumable, with progress and a log."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from aligngemini.core import devices, processes, states
from aligngemini.core.progress import note


class Batches:
    """Batches addressed by step number, so that workers and restarts change nothing."""

    def __init__(self, make: Callable[[int], dict]):
        self.make = make

    def __getitem__(self, step: int) -> dict:
        return self.make(step)


def cosine(step: int, steps: int, warm: int = 100) -> float:
    """Share of the peak learning rate at `step`: linear warm-up, cosine down to 2 %."""
    return min((step + 1) / warm, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def fit(
    module, make_batch, loss_of, steps: int, rate: float, folder: Path, every: int = 200, workers: int = 1
) -> list[dict]:
    """Train `module` for `steps`; a checkpoint in `folder` every `every` steps lets a killed run go on.

    `make_batch(step)` gives a dict of tensors; it runs in a worker, to which it may go by pickle (macOS spawns them).
    `loss_of(module, batch)` gives a scalar. Returns the log: rows of step, loss and seconds of training so far.
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = torch.device(devices.best())
    module.to(where).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    start, log = states.resume(folder / "checkpoint.pt", module.state_dict(), optimiser)
    prefetched = 4 if workers else None
    batches = processes.ahead(Batches(make_batch), workers, range(start, steps), prefetch_factor=prefetched)
    begun, losses = time.time() - (log[-1]["seconds"] if log else 0.0), []
    for step, batch in enumerate(batches, start):
        for group in optimiser.param_groups:
            group["lr"] = rate * cosine(step, steps)
        loss = loss_of(module, {k: v.to(where) for k, v in batch.items()})
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        note(f"pretraining {folder.name}", step + 1, steps)
        if (step + 1) % every == 0 or step + 1 == steps:
            mean = sum(losses) / len(losses)
            log.append({"step": step + 1, "loss": round(mean, 5), "seconds": round(time.time() - begun, 1)})
            states.save(folder / "checkpoint.pt", module.state_dict(), optimiser, step + 1, log)
            losses = []
    return log
