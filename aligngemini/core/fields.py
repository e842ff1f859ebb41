"""Parameters that several notebooks have, each described once."""

import re
from typing import Annotated, Any

from aligngemini.core.params import Refused, advanced, param
from aligngemini.core.stages import DATA

SUPERVISIONS = ["semantic", "pixel", "mixed", "union"]

DataRun = Annotated[
    str, param(..., "run of notebook 01 that gives the training and test images", filled=True, upstream=DATA)
]
Supervision = Annotated[
    str, param(..., "training set: semantic, pixel, half of each (mixed) or all of both (union)", choices=SUPERVISIONS)
]
LearningRate = Annotated[float, param(..., "step size of the optimiser, above 0 to 1", above=0, most=1)]
LoraRank = Annotated[int, advanced(..., "rank of the LoRA matrices, 1 or more", least=1)]
LoraAlpha = Annotated[float, advanced(..., "LoRA alpha, above 0; the adapter is scaled by alpha over rank", above=0)]
Epochs = Annotated[float, param(..., "passes over the training pairs, above 0", above=0)]
GradientAccumulation = Annotated[int, advanced(..., "batches per weight update, 1 or more", least=1)]
CheckpointSteps = Annotated[int, advanced(..., "steps between two checkpoints, 1 or more", least=1)]
PushToHub = Annotated[
    str,
    advanced(..., "hub repository for the adapter, user/name, or empty; branch and supervision are added to the name"),
]
Resamples = Annotated[int, advanced(..., "bootstrap resamples behind the intervals, 100 or more", least=100)]
Confidence = Annotated[float, advanced(..., "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)]


def span(default: list[float], what: str, limits: str, **rules: Any) -> Any:
    """Return a parameter of two numbers, the lower first: a range that something is sampled from, within `limits`."""
    return advanced(default, f"{what}, lowest and highest, {limits}", pair=True, **rules)


def number_format(of: str, narrow: str, elsewhere: str = "float32 elsewhere") -> Any:
    """Return a parameter that chooses what `of` computes in: auto, `narrow` or float32."""
    text = f"number format of the {of}, auto means {narrow} on a GPU and {elsewhere}"
    return advanced("auto", text, choices=["auto", "float32", narrow], on_card=narrow)


def check_repository(name: str) -> None:
    """Refuse a value of `push_to_hub` that no repository can have as its name."""
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Refused(f"push_to_hub must be user/name, got {name!r}")
