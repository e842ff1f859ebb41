"""Train the expert on pairs: a plain loop, resumable at any step, the same numbers however often it was killed."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from ..images import decode, table
from ..workbook.progress import progress
from ..workbook.seeds import generator
from .backbone import Expert
from .views import draw, tensor, view


def couples(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Real and fake side by side: columns pair_id, real, fake (paths).

    Rows that share a pair_id stay together; what has no partner is coupled with a stranger of the other class, in an
    order drawn from `seed`, so that every batch holds as many reals as fakes.
    """
    rows = rows.sort_values("image_id").sample(frac=1, random_state=seed)
    both = table.pairs(rows)
    alone = rows[~rows.pair_id.isin(both.pair_id)]
    reals, fakes = (alone[alone.label == label] for label in (0, 1))
    count = min(len(reals), len(fakes))
    strangers = {
        "pair_id": reals.image_id[:count],
        "real": reals.path[:count],
        "fake": fakes.path[:count].to_numpy(),
    }
    return pd.concat([both, pd.DataFrame(strangers)], ignore_index=True)


class Batches(Dataset):
    """Batch number -> uint8 pictures [2 n, 3, crop, crop], reals first; any worker gives the same batch for a
    number.
    """

    def __init__(self, frame: pd.DataFrame, cfg, start: int):
        self.frame, self.cfg, self.start = frame, cfg, start
        self.per_epoch = math.ceil(len(frame) / cfg.batch_pairs)
        self.stop = max(1, round(cfg.epochs * self.per_epoch))

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, i: int) -> torch.Tensor:
        epoch, at = divmod(self.start + i, self.per_epoch)
        order = generator("order", self.cfg.seed, epoch).permutation(len(self.frame))
        chosen = self.frame.iloc[order[at * self.cfg.batch_pairs : (at + 1) * self.cfg.batch_pairs]]
        views = [self._views(row, epoch) for row in chosen.itertuples()]
        return tensor([real for real, _ in views] + [fake for _, fake in views])

    def _views(self, row, epoch: int) -> list[np.ndarray]:
        drawn = draw(self.cfg, generator("view", self.cfg.seed, epoch, row.pair_id))
        grain = ("grain", self.cfg.seed, epoch, row.pair_id)
        return [view(decode.read(path).rgb, self.cfg.crop, drawn, generator(*grain)) for path in (row.real, row.fake)]


def optimiser(expert: Expert, cfg) -> torch.optim.AdamW:
    """AdamW over the trainable weights, each listed once; betas and weight decay 0 as in DDA's code."""
    weights = [w for w in expert.model.parameters() if w.requires_grad]
    return torch.optim.AdamW(weights, lr=cfg.learning_rate, betas=(0.9, 0.999), weight_decay=0.0)


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at `step`: one monotone cosine down to 0.1 % over the whole run (ours; DDA's
    repeats).
    """
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(expert: Expert, rows: pd.DataFrame, cfg, checkpoints: Path, out: Path) -> Path:
    """Train on image-table rows; write adapter, head and history to `out`. Goes on from a checkpoint if there is
    one.
    """
    batches = Batches(couples(rows, cfg.seed), cfg, 0)
    steps, optim = batches.stop, optimiser(expert, cfg)
    batches.start, log = _resume(checkpoints / "state.pt", expert, optim)
    expert.model.train()
    loader = DataLoader(batches, batch_size=None, num_workers=min(cfg.workers, 1 + steps // 50))
    for step, pictures in enumerate(progress(loader, "training the expert"), batches.start):
        for group in optim.param_groups:
            group["lr"] = cfg.learning_rate * rate(step, steps)
        log.append(
            {
                "step": step + 1,
                "loss": _step(expert, optim, pictures),
                "learning_rate": cfg.learning_rate * rate(step, steps),
            }
        )
        if (step + 1) % cfg.checkpoint_steps == 0 and step + 1 < steps:
            _save(checkpoints, expert, optim, step + 1, log)
    expert.model.eval().save_pretrained(out)
    pd.DataFrame(log).to_parquet(Path(out) / "history.parquet", index=False)
    return Path(out)


def _step(expert: Expert, optim, pictures: torch.Tensor) -> float:
    """One update on a batch whose first half is real; returns the loss (binary cross-entropy, in nats)."""
    half = len(pictures) // 2
    label = torch.cat([torch.zeros(half), torch.ones(half)]).to(expert.device)
    with torch.autocast(expert.device.type, torch.bfloat16, enabled=expert.device.type == "cuda"):
        logits = expert.logits(pictures)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    optim.zero_grad(set_to_none=True)
    loss.backward()
    optim.step()
    return loss.item()


def _trained(expert: Expert) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in expert.model.named_parameters() if weight.requires_grad}


def _save(folder: Path, expert: Expert, optim, step: int, log: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {"weights": _trained(expert), "optimiser": optim.state_dict(), "step": step, "log": log}
    torch.save(state, folder / "state.tmp")
    (folder / "state.tmp").replace(folder / "state.pt")


def _resume(path: Path, expert: Expert, optim) -> tuple[int, list[dict]]:
    """Step to go on from and the log so far; (0, []) without a checkpoint."""
    if not path.is_file():
        return 0, []
    state = torch.load(path, map_location=expert.device, weights_only=True)
    with torch.no_grad():
        for name, weight in _trained(expert).items():
            weight.copy_(state["weights"][name])
    optim.load_state_dict(state["optimiser"])
    return state["step"], state["log"]
