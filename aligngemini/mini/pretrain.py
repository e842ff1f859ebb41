"""`aligngemini mini pretrain`: makes the mini bases and writes down how."""

import shutil
from functools import partial
from pathlib import Path

from aligngemini.core import atomic, manifest, paths, shipped

from . import bases, card, pretrain_expert, pretrain_vae, pretrain_vlm

STEPS = {
    "vlm_neutral": 4000, "vlm": 4000, "expert": 400,
    "kl": 1500, "transposed": 1500, "shuffle": 1500, "vq": 1500, "adversarial": 1500, "superres": 300,
}  # fmt: skip


def main(only: str = "", out: str = "data/mini", steps: int = 0, seed: int = 0) -> dict[str, dict]:
    """Make one base (`only`: a name in STEPS) or all, in their folders under `out`; returns their cards.

    A killed run goes on from its last checkpoint when called again. `steps` overrides the number of steps (for trials).
    """
    names = [only] if only else list(STEPS)
    made = {name: make(name, paths.resolve(out) / place(name), steps or STEPS[name], seed) for name in names}
    for left in [] if only else paths.resolve(out).glob(".work-*"):  # what the VLMs share waits for the other one
        shutil.rmtree(left)
    return made


def place(name: str) -> str:
    """The folder of a base: its name, for an autoencoder under `vae` or `upscalers`."""
    return str(bases.FOLDERS[name].relative_to(bases.HOME))


def make(name: str, folder: Path, steps: int, seed: int) -> dict:
    """Pretrain one base in a folder beside its own, then put it in place with its card.

    Checkpoints lie in a folder of this seed and number of steps: a run of another never goes on from them.
    """
    fresh, work = folder.with_name(f".{name}.new"), folder.with_name(f".work-{seed}-{steps}") / name
    work.mkdir(parents=True, exist_ok=True)
    facts = _room(name)(fresh, work, steps, seed)
    facts |= {"command": f"aligngemini mini pretrain --only {name}", "seed": seed}
    facts |= {"environment": manifest.environment()}
    card.write(fresh, name, facts)
    shipped.record(atomic.move(fresh, folder))
    shutil.rmtree(work)
    if not any(work.parent.iterdir()):
        work.parent.rmdir()
    return facts


def _room(name: str):
    """The function (out, work, steps, seed) that makes a base."""
    if name in pretrain_vlm.TOLD:
        return partial(pretrain_vlm.pretrain, name)
    return pretrain_expert.pretrain if name == "expert" else partial(pretrain_vae.pretrain, name)
