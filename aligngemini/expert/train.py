"""Train the expert on pairs: a plain loop, resumable at any step, the same numbers however often it was killed."""

import math
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import pandas as pd
import torch

from aligngemini.branches import domain
from aligngemini.core import devices, processes, states
from aligngemini.core.manifest import no_memory
from aligngemini.core.progress import progress, say

from . import adapter, compiled, degradation, objective
from .backbone import Expert
from .batches import Batches, match_real_fake
from .branch import ExpertBranch
from .params import ExpertParams

WORTH = 30_000_000  # pixels of views that another process is started for: some seconds of work (ours)


def train(
    expert: Expert,
    rows: pd.DataFrame,
    config: ExpertParams,
    checkpoints: Path,
    out: Path,
    validation: pd.DataFrame | None = None,
    chain: Mapping | None = None,
) -> Path:
    """Train on image-table rows; write adapter, head, card and history to `out`. Goes on from the newest
    readable checkpoint if there is one. Validation rows are needed for `abstain_on_degraded`, and to note which images
    are unlike the training images; the parameters of notebook 01 (`chain`) for the former alone.
    """
    pairs = match_real_fake(rows, config.seed)
    log = minimise(expert, partial(Batches, pairs, config), config, checkpoints)
    expert.model.eval()
    features: dict = {}  # of images that are looked at once for both what follows
    if config.abstain_on_degraded:
        expert = replace(expert, probe=degradation.fit(expert, rows, validation, chain, config, features))
    adapter.save(expert, Path(out), adapter.facts(expert, config, len(pairs), len(log)))
    domain.save(domain.of(ExpertBranch(expert, config.crop), rows, validation, features), Path(out))
    pd.DataFrame(log).to_parquet(Path(out) / "history.parquet", index=False)
    return Path(out)


def optimise(
    expert: Expert, rows: pd.DataFrame, config: ExpertParams, checkpoints: Path, penalty: Callable | None = None
) -> list[dict]:
    """Train on pairs of image-table rows; see `minimise`."""
    batches = partial(Batches, match_real_fake(rows, config.seed), config)
    return minimise(expert, batches, config, checkpoints, penalty=penalty)


def minimise(
    expert: Expert,
    batches: Callable[[int], Batches],
    config: ExpertParams,
    checkpoints: Path,
    loss: Callable | None = None,
    penalty: Callable | None = None,
) -> list[dict]:
    """Train the weights that want gradients; return step, loss and learning_rate of every update.

    `batches(n)` are all batches but the first n; `loss(expert, batch)` is the expert's own if not given; `penalty()` is
    added to the loss of every update. Goes on from the newest readable checkpoint.
    """
    optim = objective.optimiser(expert, config)
    steps = math.ceil(batches(0).stop / config.gradient_accumulation)
    state, weights = Path(checkpoints) / "state.pt", [(n, w) for n, w in expert.model.named_parameters()]
    trained = {name: weight.detach() for name, weight in weights if weight.requires_grad}
    begun, log = states.resume(state, trained, optim)
    expert.model.train()
    descend = updating(expert, optim, config, loss, penalty)
    ahead = _ahead(batches(begun * config.gradient_accumulation), config)
    with compiled.blocks(expert.model) if config.compiled else nullcontext():
        for step in progress(range(begun, steps), "training the expert"):
            rate = config.learning_rate * objective.rate(step, steps, config.mode)
            for group in optim.param_groups:
                group["lr"] = rate
            value = descend(list(islice(ahead, config.gradient_accumulation)))
            log.append({"step": step + 1, "loss": value, "learning_rate": rate})
            if (step + 1) % config.checkpoint_steps == 0 and step + 1 < steps:
                states.save(state, trained, optim, step + 1, log)
    return log


def _ahead(batches: Batches, config: ExpertParams):
    """The batches, read ahead in other processes; for little work these are not worth their start."""
    views = 2 * config.batch_pairs * (1 + 2 * config.resized_views)
    pixels = len(batches) * views * config.crop**2
    workers = min(config.workers, 1 + pixels // WORTH)
    return processes.ahead(batches, workers, pin_memory=devices.best() in devices.NARROW)


def updating(
    expert: Expert, optim: torch.optim.Optimizer, config: ExpertParams, loss=None, penalty=None
) -> Callable[[list[torch.Tensor]], float]:
    """`update` for lists of batches: on an accelerator the expert sees as many batches at once as memory holds, all of
    an update at first, which keeps a large GPU busy. A `loss` of one's own gets them one by one.

    Where they do not fit, the update begins anew: what `failures.halved` would go on from has gradients already.
    """
    together = [1 if loss or devices.best() not in devices.NARROW else config.gradient_accumulation]

    def step(parts: list[torch.Tensor]) -> float:
        try:
            return update(expert, optim, parts, config, loss, penalty, together[0])
        except Exception as error:
            if together[0] == 1 or not no_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # what they hold does not fit beside fewer batches
        together[0] = (together[0] + 1) // 2
        say(f"the memory is too small for more: {together[0]} of {config.gradient_accumulation} batches at once")
        return step(parts)

    return step


def update(
    expert: Expert,
    optim: torch.optim.Optimizer,
    parts: list[torch.Tensor],
    config: ExpertParams,
    loss=None,
    penalty=None,
    together: int = 1,
) -> float:
    """One update on batches, so many of them `together`, for the expert's own loss such whose first halves are real;
    returns their mean loss, `penalty()` left out.
    """
    optim.zero_grad(set_to_none=True)
    total = torch.zeros((), device=expert.device)
    for first in range(0, len(parts), together):
        some = parts[first : first + together]
        if loss:
            values = torch.stack([loss(expert, each) for each in some])
        else:
            values = objective.losses(expert, some, config.contrastive_weight)
        value = (values / len(parts)).sum()
        value.backward()
        total += value.detach()
    if penalty:
        penalty().backward()
    for _ in range(objective.moves(config.mode)):
        optim.step()
    return total.item()
