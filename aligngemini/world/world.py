"""The door to the small world: (seed, split, index) names one picture and, on request, its violated twin."""

from dataclasses import dataclass

import numpy as np

from aligngemini.core.params import Refused
from aligngemini.core.seeds import generator

from . import captions, painter, scenes
from .kinds import KINDS

DRAWS = 1000  # scenes tried before a limit counts as impossible
# Families that few scenes can carry are drawn more often there, so that all become about as frequent.
RARE = {"reflection": 6.0, "scale": 2.0, "number": 3.0, "count": 1.5}


@dataclass(frozen=True)
class Limits:
    """What scenes may show: kinds of subjects, kinds of things beside them, and families of violation."""

    subjects: tuple[str, ...] = tuple(KINDS)
    beside: tuple[str, ...] = tuple(KINDS)
    families: tuple[str, ...] = scenes.FAMILIES


ANYTHING = Limits()


@dataclass(frozen=True)
class Picture:
    """A painted scene: rgb uint8 [size, size, 3], its family ("" if plausible), the kind of its subject, the true
    sentence about what tells it from its twin, and its description.
    """

    rgb: np.ndarray
    family: str
    kind: str
    remark: str
    scene: scenes.Scene


def scene(seed: int, split: str, index: int, violated: bool, limits: Limits = ANYTHING) -> tuple[scenes.Scene, str]:
    """The description behind `draw` and the family that tells the twins apart; Refused if `limits` leave no scene."""
    rng = generator("scene", seed, split, index)
    for _ in range(DRAWS):
        plain = scenes.usual(rng, limits.subjects, limits.beside)
        if fitting := scenes.open_families(plain, limits.families):
            weights = np.array([RARE.get(family, 1.0) for family in fitting])
            family = str(rng.choice(fitting, p=weights / weights.sum()))
            return (scenes.violate(plain, family, rng) if violated else plain), family
    raise Refused(f"no scene with {', '.join(limits.subjects)} can be wrong in {', '.join(limits.families)}")


def paint(described: scenes.Scene, seed: int, split: str, index: int, size: int = 112) -> np.ndarray:
    """The pixels of a described scene, uint8 [size, size, 3], with the backdrop and grain of this index."""
    return painter.paint(described, generator("grain", seed, split, index), size)


def draw(seed: int, split: str, index: int, violated: bool, size: int = 112, limits: Limits = ANYTHING) -> Picture:
    """Paint picture `index` of a split; with violated True and False the two are twins, alike but for one thing."""
    described, family = scene(seed, split, index, violated, limits)
    rgb, remark = paint(described, seed, split, index, size), captions.remark(described, family)
    return Picture(rgb, family if violated else "", described.things[0].kind, remark, described)
