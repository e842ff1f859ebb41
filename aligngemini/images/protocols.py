"""What is done to test pictures before they are scored, declared protocol by protocol and carried out in memory.

A treatment is a tuple of steps (name, value), empty for a file as it is. Benchmarks are called as in the published
numbers (`genimage`, `aigcdetect`, ...).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageStat
from pydantic import TypeAdapter

from aligngemini.core import reading
from aligngemini.core.params import Refused

from . import perturb
from .failures import attempt, reason
from .header import Unreadable

Treatment = tuple[tuple[str, float], ...]
CENTRE, JPEG = "centre", "jpeg"


@dataclass(frozen=True)
class Protocol:
    """How pictures are treated and judged; zeros and empty words leave things as the detector has them."""

    name: str
    text: str
    side: int = 0  # px, centre crop of every picture; smaller ones are left out
    quality: int = 0  # JPEG quality of every picture
    fakes_quality: int = 0  # JPEG quality of fakes, and of fakes alone, of the benchmarks in `fakes_of`
    fakes_of: frozenset[str] = frozenset()
    subsets: Mapping[str, frozenset[str]] = field(default_factory=dict)  # benchmark -> the subsets that count
    skips_constant: bool = False  # near-constant pictures are left out
    threshold: float | None = None  # of every branch
    rule: str = ""
    crop: int = 0  # px, centre crop of branches that look at one, padded with zeros and never resized


PROTOCOLS = {
    name: TypeAdapter(Protocol).validate_python({"name": name, **facts})
    for name, facts in reading.beside(__file__).items()
}


def named(text: str) -> list[Protocol]:
    """The protocols of a comma-separated list, `aligned:SIDE` with its crop in pixels; raises Refused."""
    return [_named(word) for word in perturb.choices(text, PROTOCOLS, "--protocol", "protocol")]


def _named(word: str) -> Protocol:
    name, colon, side = word.partition(":")
    if colon and (not PROTOCOLS[name].side or not re.fullmatch("[1-9][0-9]{,4}", side)):
        raise Refused(f"{word!r} is no protocol: only aligned takes a side in pixels, such as aligned:112.")
    return replace(PROTOCOLS[name], name=word, side=int(side)) if colon else PROTOCOLS[name]


def treatment(protocol: Protocol, benchmark: str, label: int, perturbation: str = "", severity: float = 0) -> Treatment:
    """The steps for a picture of `label` (0 real, 1 fake), a perturbation last; raises Refused for an unknown one.

    JPEG of fakes alone is left out where the perturbation is a JPEG itself, as published.
    """
    steps = [(CENTRE, protocol.side)] if protocol.side else []
    steps += [(JPEG, protocol.quality)] if protocol.quality else []
    fake = label == 1 and protocol.fakes_quality and benchmark in protocol.fakes_of
    if fake and not (perturbation and perturb.PERTURBATIONS[perturbation].encodes):
        steps.append((JPEG, protocol.fakes_quality))
    return (*steps, (perturbation, severity)) if perturbation else tuple(steps)


def spelled(steps: Treatment) -> str:
    """'centre 256, jpeg 90'; '' for nothing."""
    return ", ".join(f"{name} {value:g}" for name, value in steps)


def treated(rgb: np.ndarray, steps: Treatment, image_id: str) -> np.ndarray:
    """Carry out the steps on uint8 [H, W, 3], one after the other; draws depend on the picture's id alone.

    Raises Unreadable where a step cannot be done to this picture.
    """
    for step in steps:
        result = attempt(_step, rgb, *step, image_id)
        if isinstance(result, Exception):
            raise Unreadable(reason(f"{spelled((step,))} cannot be done to it", result))
        rgb = result
    return rgb


def _step(rgb: np.ndarray, name: str, value: float, image_id: str) -> np.ndarray:
    return centre(rgb, int(value)) if name == CENTRE else perturb.apply(name, rgb, value, image_id)


def centre(rgb: np.ndarray, side: int) -> np.ndarray:
    """The side x side middle of uint8 [H, W, 3]; raises Unreadable if the image is smaller."""
    top, left = ((length - side) // 2 for length in rgb.shape[:2])
    if top < 0 or left < 0:
        raise Unreadable(f"smaller than {side} px")
    return rgb[top : top + side, left : left + side]


def constant(rgb: np.ndarray) -> bool:
    """Whether uint8 [H, W, 3] is near-constant in the published sense.

    A side below 10 px, a variance summed over channels below 10, or a mean below 5 or above 250 with a variance
    below 100.
    """
    facts = ImageStat.Stat(Image.fromarray(rgb))
    variance, mean = sum(facts.var), sum(facts.mean) / 3
    return min(rgb.shape[:2]) < 10 or variance < 10 or (not 5 <= mean <= 250 and variance < 100)
