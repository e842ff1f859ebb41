"""Fields that several notebooks have, said once."""

import re
from typing import Any

from aligngemini.workbook.params import Refused, param

SUPERVISIONS = ["semantic", "pixel", "mixed", "union"]


def scale() -> Any:
    """Return the field `scale`."""
    return param("mini", "scale of the experiment, the name of its recipes folder", filled=True)


def seed() -> Any:
    """Return the field `seed`."""
    return param(0, "seed of every random draw, 0 or more", least=0)


def supervision(pure: str) -> Any:
    """Return the field `supervision` of a branch whose own training set is `pure`."""
    text = "training set, semantic, pixel, half of each (mixed) or all of both (union)"
    return param(pure, text, choices=SUPERVISIONS)


def push_to_hub() -> Any:
    """Return the field `push_to_hub`."""
    return param("", "repository on the hub, user/name, branch and supervision are added to its name, empty for none")


def check_repository(name: str) -> None:
    """Refuse a value of `push_to_hub` that no repository can have as its name."""
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Refused(f"push_to_hub must be user/name, got {name!r}")


def resamples() -> Any:
    """Return the field `resamples`."""
    return param(2000, "bootstrap resamples behind every interval, 100 or more", least=100)


def confidence() -> Any:
    """Return the field `confidence`."""
    return param(0.95, "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)
