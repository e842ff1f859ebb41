"""`aligngemini mini pretrain`: makes the three mini bases and writes down how."""

import json
import shutil
from pathlib import Path

from ..workbook import manifest, paths

STEPS = {"vlm": 6000, "expert": 400, "vae": 4000}


def main(only: str = "", out: str = "data/mini", steps: int = 0, seed: int = 0) -> dict[str, dict]:
    """Make one base (`only`: vlm, expert or vae) or all, in folders of those names under `out`; returns their cards.

    A killed run goes on from its last checkpoint when called again. `steps` overrides the number of steps (for trials).
    """
    cards = {}
    for name in [only] if only else STEPS:
        folder = paths.resolve(out) / name
        cards[name] = make(name, folder, steps or STEPS[name], seed)
    return cards


def make(name: str, folder: Path, steps: int, seed: int) -> dict:
    """Pretrain one base in a folder beside its own, then put it in place with its card."""
    from . import pretrain_expert, pretrain_vae, pretrain_vlm

    rooms = {"vlm": pretrain_vlm, "expert": pretrain_expert, "vae": pretrain_vae}
    fresh, work = folder.with_name(f".{name}.new"), folder.with_name(f".{name}.work")
    work.mkdir(parents=True, exist_ok=True)
    card = rooms[name].pretrain(fresh, work, steps, seed)
    card |= {
        "command": f"aligngemini mini pretrain --only {name}",
        "seed": seed,
        "environment": manifest.environment(),
    }
    (fresh / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    shutil.rmtree(work)
    return card
