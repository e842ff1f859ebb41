"""Fields that several notebooks have, said once."""

import re
from typing import Any

from aligngemini.core.names import DATA
from aligngemini.core.params import Refused, param

SUPERVISIONS = ["semantic", "pixel", "mixed", "union"]


def scale() -> Any:
    """Return the field `scale`."""
    return param("mini", "scale of the experiment, the name of its recipes folder", filled=True)


def seed() -> Any:
    """Return the field `seed`."""
    return param(0, "seed of every random draw, 0 to 4294967295", least=0, most=2**32 - 1)  # numpy takes no larger one


def data_run() -> Any:
    """Return the field `data_run` of a branch."""
    return param("latest", "run of notebook 01 to train on", filled=True, upstream=DATA)


def supervision(pure: str) -> Any:
    """Return the field `supervision` of a branch whose own training set is `pure`."""
    text = "training set, semantic, pixel, half of each (mixed) or all of both (union)"
    return param(pure, text, choices=SUPERVISIONS)


def learning_rate(usual: float) -> Any:
    """Return the field `learning_rate`."""
    return param(usual, "step size of the optimiser, above 0 to 1", above=0, most=1)


def lora_rank(usual: int) -> Any:
    """Return the field `lora_rank`."""
    return param(usual, "rank of the LoRA adapters, 1 or more", least=1)


def lora_alpha(usual: float) -> Any:
    """Return the field `lora_alpha`."""
    return param(usual, "LoRA alpha, the adapters are scaled by alpha over rank, above 0", above=0)


def epochs(usual: float) -> Any:
    """Return the field `epochs`."""
    return param(usual, "passes over the training pairs, above 0", above=0)


def gradient_accumulation() -> Any:
    """Return the field `gradient_accumulation`."""
    return param(1, "steps per weight update, 1 or more", least=1)


def checkpoint_steps() -> Any:
    """Return the field `checkpoint_steps`."""
    return param(50, "steps between checkpoints, 1 or more", least=1)


def push_to_hub() -> Any:
    """Return the field `push_to_hub`."""
    return param("", "repository on the hub, user/name, branch and supervision are added to its name, empty for none")


def check_repository(name: str) -> None:
    """Refuse a value of `push_to_hub` that no repository can have as its name."""
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Refused(f"push_to_hub must be user/name, got {name!r}")


def resamples() -> Any:
    """Return the field `resamples`."""
    return param(2000, "resamples behind intervals of pictures in pairs, 100 or more", least=100)


def confidence() -> Any:
    """Return the field `confidence`."""
    return param(0.95, "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)
