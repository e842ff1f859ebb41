"""Parameters that several notebooks have, each described once."""

import re
from typing import Annotated

from aligngemini.core.params import Refused, param
from aligngemini.core.stages import DATA

SUPERVISIONS = ["semantic", "pixel", "mixed", "union"]

Scale = Annotated[str, param(..., "scale of the experiment, the name of its recipes folder", filled=True)]
Seed = Annotated[  # numpy takes no larger one
    int, param(..., "seed of every random draw, 0 to 4294967295", least=0, most=2**32 - 1)
]
DataRun = Annotated[str, param(..., "run of notebook 01 to train on", filled=True, upstream=DATA)]
Supervision = Annotated[
    str,
    param(..., "training set, semantic, pixel, half of each (mixed) or all of both (union)", choices=SUPERVISIONS),
]
LearningRate = Annotated[float, param(..., "step size of the optimiser, above 0 to 1", above=0, most=1)]
LoraRank = Annotated[int, param(..., "rank of the LoRA adapters, 1 or more", least=1)]
LoraAlpha = Annotated[float, param(..., "LoRA alpha, the adapters are scaled by alpha over rank, above 0", above=0)]
Epochs = Annotated[float, param(..., "passes over the training pairs, above 0", above=0)]
GradientAccumulation = Annotated[int, param(..., "steps per weight update, 1 or more", least=1)]
CheckpointSteps = Annotated[int, param(..., "steps between checkpoints, 1 or more", least=1)]
PushToHub = Annotated[
    str, param(..., "repository on the hub, user/name, branch and supervision are added to its name, empty for none")
]
Resamples = Annotated[int, param(..., "resamples behind intervals of pictures in pairs, 100 or more", least=100)]
Confidence = Annotated[float, param(..., "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)]


def check_repository(name: str) -> None:
    """Refuse a value of `push_to_hub` that no repository can have as its name."""
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Refused(f"push_to_hub must be user/name, got {name!r}")
