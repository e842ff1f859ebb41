"""Scenes of the small world: a machine-readable description, how it is drawn at random, and what would violate it."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from .kinds import KINDS, PLACES

FAMILIES = (
    "count",
    "placement",
    "orientation",
    "support",
    "shadow",
    "light",
    "context",
    "reflection",
    "scale",
    "colour",
    "number",
)


@dataclass(frozen=True)
class Thing:
    """One object: all that can be said about it. `height` is a share of the picture's height, `x` of its width."""

    kind: str
    colour: str
    x: float
    height: float
    facing: str
    count: int
    part_moved: bool = False
    upright: bool = True
    floating: bool = False


@dataclass(frozen=True)
class Scene:
    """A whole picture in words: place, light, things (the first is the subject), a sign that counts balloons."""

    place: str
    sun: str
    shadow: str
    horizon: float
    second_sun: bool
    reflection: bool
    things: tuple[Thing, ...]
    sign: int = 0
    balloons: int = 0

    def describe(self) -> dict:
        """The scene as plain dicts, lists and scalars, ready for JSON."""
        return asdict(self)


def other(side: str) -> str:
    """The opposite of "left" or "right"."""
    return "right" if side == "left" else "left"


def _thing(kind: str, rng: np.random.Generator, x: float, height: float) -> Thing:
    has = KINDS[kind]
    height = min(height, 0.62 / has.aspect)
    colour = str(rng.choice(has.colours))
    return Thing(kind, colour, x, height, str(rng.choice(["left", "right"])), has.repeat.count if has.repeat else 0)


def _companion(subject: str, place: str, rng: np.random.Generator, kinds: tuple[str, ...]) -> str | None:
    few = {kind: KINDS[kind] for kind in kinds}
    fits = [k for k, v in few.items() if place in v.places and abs(v.stature - KINDS[subject].stature) >= 2]
    return str(rng.choice(fits)) if fits else None


def _pair(subject: str, partner: str, rng: np.random.Generator) -> tuple[Thing, ...]:
    tall, small = rng.uniform(0.46, 0.56), rng.uniform(0.17, 0.22)
    left, right = rng.uniform(0.25, 0.32), rng.uniform(0.7, 0.77)
    first, second = (left, right) if rng.random() < 0.5 else (right, left)
    taller = KINDS[subject].stature > KINDS[partner].stature
    heights = (tall, small) if taller else (small, tall)
    return _thing(subject, rng, first, heights[0]), _thing(partner, rng, second, heights[1])


def usual(
    rng: np.random.Generator, kinds: tuple[str, ...] = tuple(KINDS), beside: tuple[str, ...] = tuple(KINDS)
) -> Scene:
    """Draw a plausible scene whose subject is one of `kinds`, and what stands beside it one of `beside`."""
    subject = str(rng.choice(kinds))
    place = str(rng.choice(KINDS[subject].places))
    sun = str(rng.choice(["left", "right"]))
    partner = _companion(subject, place, rng, beside) if rng.random() < 0.4 else None
    alone = (_thing(subject, rng, rng.uniform(0.36, 0.64), rng.uniform(0.4, 0.54)),)
    things = _pair(subject, partner, rng) if partner else alone
    number = int(rng.integers(1, 5)) if partner is None and rng.random() < 0.35 else 0
    return Scene(place, sun, other(sun), rng.uniform(0.5, 0.6), False, place == "lake", things, number, number)


def open_families(scene: Scene, families: tuple[str, ...] = FAMILIES) -> list[str]:
    """Those of `families` of violation that this scene can carry."""
    has = KINDS[scene.things[0].kind]
    closed = {
        "count": has.repeat is None,
        "shadow": scene.place == "lake",
        "context": not has.wrong_places,
        "reflection": scene.place != "lake",
        "scale": len(scene.things) < 2,
        "number": scene.sign == 0,
        "support": scene.place == "lake",
    }
    return [family for family in families if not closed.get(family, False)]


def violate(scene: Scene, family: str, rng: np.random.Generator) -> Scene:
    """The same scene with one thing wrong; raises KeyError for an unknown family."""
    return _VIOLATE[family](scene, rng)


def _subject(scene: Scene, **change) -> Scene:
    return replace(scene, things=(replace(scene.things[0], **change), *scene.things[1:]))


def _count(scene: Scene, rng: np.random.Generator) -> Scene:
    right = KINDS[scene.things[0].kind].repeat.count
    return _subject(scene, count=int(rng.choice([n for n in range(1, 7) if n != right and abs(n - right) <= 2])))


def _context(scene: Scene, rng: np.random.Generator) -> Scene:
    place = str(rng.choice(KINDS[scene.things[0].kind].wrong_places))
    return replace(scene, place=place, reflection=place == "lake")


def _scale(scene: Scene, rng: np.random.Generator) -> Scene:
    first, second = scene.things
    return replace(scene, things=(replace(first, height=second.height), replace(second, height=first.height)))


def _colour(scene: Scene, rng: np.random.Generator) -> Scene:
    return _subject(scene, colour=str(rng.choice(KINDS[scene.things[0].kind].wrong_colours)))


def _number(scene: Scene, rng: np.random.Generator) -> Scene:
    return replace(scene, balloons=int(rng.choice([n for n in range(1, 6) if n != scene.sign])))


_VIOLATE = {
    "count": _count,
    "placement": lambda scene, rng: _subject(scene, part_moved=True),
    "orientation": lambda scene, rng: _subject(scene, upright=False),
    "support": lambda scene, rng: _subject(scene, floating=True),
    "shadow": lambda scene, rng: replace(scene, shadow=scene.sun),
    "light": lambda scene, rng: replace(scene, second_sun=True),
    "context": _context,
    "reflection": lambda scene, rng: replace(scene, reflection=False),
    "scale": _scale,
    "colour": _colour,
    "number": _number,
}


def violations(scene: Scene) -> list[str]:
    """Recompute from the description alone which families are violated; [] for a plausible scene."""
    subject, has = scene.things[0], KINDS[scene.things[0].kind]
    sizes = [(KINDS[t.kind].stature, t.height) for t in scene.things]
    found = {
        "count": has.repeat is not None and subject.count != has.repeat.count,
        "placement": subject.part_moved,
        "orientation": not subject.upright,
        "support": subject.floating,
        "shadow": scene.place != "lake" and scene.shadow == scene.sun,
        "light": scene.second_sun,
        "context": scene.place not in has.places,
        "reflection": scene.place == "lake" and not scene.reflection,
        "scale": len(sizes) == 2 and (sizes[0][0] > sizes[1][0]) != (sizes[0][1] > sizes[1][1]),
        "colour": subject.colour not in has.colours,
        "number": scene.sign != scene.balloons,
    }
    return [family for family in FAMILIES if found[family]]


assert set(_VIOLATE) == set(FAMILIES) and all(set(k.places) <= set(PLACES) for k in KINDS.values())
