"""The state of a training in one file: written whole, the one before kept beside it, a damaged one passed over."""

import zipfile
from pathlib import Path

import torch

from aligngemini.core import atomic, paths
from aligngemini.core.params import said
from aligngemini.core.progress import say


def save(path: Path, weights: dict[str, torch.Tensor], optimiser, step: int, log: list[dict]) -> None:
    """Write the state after `step` steps to `path`; what was there stays as `path` with ".before". Raises OSError."""
    state = {"weights": weights, "optimiser": optimiser.state_dict(), "step": step, "log": log}
    with atomic.replacing(path) as temporary:
        torch.save(state, temporary)
        if path.exists():
            atomic.move(path, _before(path))


def resume(path: Path, weights: dict[str, torch.Tensor], optimiser) -> tuple[int, list[dict]]:
    """Step to go on from and the log so far, `weights` and `optimiser` brought to it; (0, []) without a state.

    The newest state that is readable and fits counts; a line says what was passed over.
    """
    atomic.clear(path.parent)
    there = [file for file in (path, _before(path)) if file.exists()]
    for file in there:
        try:
            return _restore(_read(file), weights, optimiser)
        except Exception as error:  # of any kind: what a damaged file makes its readers say is not theirs to choose
            say(f"passed over the checkpoint {paths.short(file)}, which cannot be used: {said(error)}")
    if there:
        say("no checkpoint can be used: training starts anew")
    return 0, []


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def _read(file: Path) -> dict:
    """What `save` wrote; torch itself does not compare the checksums inside."""
    with zipfile.ZipFile(file) as archive:
        if broken := archive.testzip():
            raise ValueError(f"{broken} in it is damaged")
    # AdamW counts its steps on the host, where it found them: a count on the GPU would be asked for at every step.
    return torch.load(file, map_location="cpu", weights_only=True)


def _restore(state: dict, weights: dict[str, torch.Tensor], optimiser) -> tuple[int, list[dict]]:
    """Check all before anything is changed."""
    step, log = int(state["step"]), list(state["log"])
    if {name: each.shape for name, each in state["weights"].items()} != {n: w.shape for n, w in weights.items()}:
        raise ValueError("its weights have other names or shapes")
    moving = [weight for group in optimiser.param_groups for weight in group["params"]]
    for place, moments in state["optimiser"]["state"].items():
        if any(each.dim() and each.shape != moving[place].shape for each in moments.values()):
            raise ValueError("its optimiser moved weights of other shapes")
    optimiser.load_state_dict(state["optimiser"])
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(state["weights"][name])
    return step, log
