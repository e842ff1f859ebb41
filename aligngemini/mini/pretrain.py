"""`aligngemini mini pretrain`: makes the mini bases and writes down how."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.analysis import export
from aligngemini.core import atomic, manifest, paths, shipped

from . import bases, pretrain_expert, pretrain_vae, pretrain_vlm

STEPS = {
    "vlm_neutral": 4000, "vlm": 4000, "expert": 400,
    "kl": 1500, "transposed": 1500, "shuffle": 1500, "vq": 1500, "adversarial": 1500, "superres": 300,
}  # fmt: skip


def main(only: str = "", out: str = "data/mini", steps: int = 0, seed: int = 0) -> dict[str, dict]:
    """Make one base (`only`: a name in STEPS) or all, in their folders under `out`; returns their cards.

    A killed run goes on from its last checkpoint when called again. `steps` overrides the number of steps (for trials).
    """
    names = [only] if only else list(STEPS)
    home = paths.resolve(out)
    folders = {name: home / bases.FOLDERS[name].relative_to(bases.HOME) for name in names}
    made = {name: make(name, folder, steps or STEPS[name], seed) for name, folder in folders.items()}
    for left in [] if only else home.glob(".work-*"):  # what the VLMs share waits for the other one
        shutil.rmtree(left)
    return made


def make(name: str, folder: Path, steps: int, seed: int) -> dict:
    """Pretrain one base in a folder beside its own, then put it in place with its card.

    Checkpoints lie in a folder of this seed and number of steps: a run of another never goes on from them.
    """
    fresh, work = folder.with_name(f".{name}.new"), folder.with_name(f".work-{seed}-{steps}") / name
    work.mkdir(parents=True, exist_ok=True)
    facts = _room(name)(fresh, work, steps, seed)
    facts |= {"command": f"aligngemini mini pretrain --only {name}", "seed": seed}
    facts |= {"environment": manifest.environment()}
    write_card(fresh, name, facts)
    shipped.record(atomic.move(fresh, folder))
    shutil.rmtree(work)
    if not any(work.parent.iterdir()):
        work.parent.rmdir()
    return facts


def _room(name: str):
    if name in pretrain_vlm.TOLD:
        return partial(pretrain_vlm.pretrain, name)
    return pretrain_expert.pretrain if name == "expert" else partial(pretrain_vae.pretrain, name)


ABOUT = "A small model of the AlignGemini workbook, pretrained on its drawn world. It has seen no photograph."
PLAIN = ("told", "command", "seed", "steps")


def write_card(folder: Path, name: str, card: dict[str, Any]) -> None:
    """Write both forms of `card` into `folder`; everything in it must fit JSON."""
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card_text(name, card), encoding="utf-8")


def card_text(name: str, card: dict[str, Any]) -> str:
    """The card in Markdown: what it was told, how it is made again, its figures, the course of its loss."""
    lines = [f"# {name}", "", ABOUT, "", *(f"- **{key}**: {_inline(card[key])}" for key in PLAIN if key in card)]
    for key in [key for key in card if key not in (*PLAIN, "environment")]:
        lines += ["", f"## {key.replace('_', ' ')}", "", _section(card[key])]
    packages = card.get("environment", {}).get("packages", {})
    lines += ["", f"Made with {_inline(packages)}."] if packages else []
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _section(value: Any) -> str:
    """A table for a list of rows, for rows under names and for named figures; a figure alone as it is."""
    if not isinstance(value, list | dict):
        return str(value)
    if isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
        return export.markdown(pd.DataFrame.from_dict(value, orient="index").reset_index(names="").fillna(""))
    return export.markdown(pd.DataFrame(value if isinstance(value, list) else [value]))
