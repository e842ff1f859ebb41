"""`aligngemini mini pretrain`: makes the mini bases and writes down how."""

import shutil
from functools import partial
from pathlib import Path

from ..workbook import manifest, paths

STEPS = {"vlm_neutral": 4000, "vlm": 4000, "expert": 400, "vae": 4000}


def main(only: str = "", out: str = "data/mini", steps: int = 0, seed: int = 0) -> dict[str, dict]:
    """Make one base (`only`: a name in STEPS) or all, in folders of those names under `out`; returns their cards.

    A killed run goes on from its last checkpoint when called again. `steps` overrides the number of steps (for trials).
    """
    cards = {}
    for name in [only] if only else STEPS:
        folder = paths.resolve(out) / name
        cards[name] = make(name, folder, steps or STEPS[name], seed)
    return cards


def make(name: str, folder: Path, steps: int, seed: int) -> dict:
    """Pretrain one base in a folder beside its own, then put it in place with its card."""
    from . import card, pretrain_expert, pretrain_vae, pretrain_vlm

    rooms = {
        "vlm_neutral": partial(pretrain_vlm.pretrain, "vlm_neutral"),
        "vlm": partial(pretrain_vlm.pretrain, "vlm"),
        "expert": pretrain_expert.pretrain,
        "vae": pretrain_vae.pretrain,
    }
    fresh, work = folder.with_name(f".{name}.new"), folder.with_name(f".{name}.work")
    work.mkdir(parents=True, exist_ok=True)
    facts = rooms[name](fresh, work, steps, seed)
    facts |= {
        "command": f"aligngemini mini pretrain --only {name}",
        "seed": seed,
        "environment": manifest.environment(),
    }
    card.write(fresh, name, facts)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    shutil.rmtree(work)
    return facts
