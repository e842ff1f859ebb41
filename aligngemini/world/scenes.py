"""Scenes of the small world: a machine-readable description, how it is drawn at random, and what would violate it."""

from dataclasses import dataclass, replace

import numpy as np

from .kinds import KINDS, PLACES

FAMILIES = (
    "count", "placement", "orientation", "support", "shadow", "light", "context", "reflection", "scale", "colour",
    "number",
)  # fmt: skip
HOURS = ("noon", "evening")
WEATHER = dict.fromkeys(("meadow", "street", "lake"), ("clear", "cloudy", "rain"))
WEATHER |= {"snow": ("clear", "cloudy", "snowfall"), "desert": ("clear", "cloudy")}


@dataclass(frozen=True)
class Thing:
    """One object: all that can be said about it. `height` and `lift` are shares of the picture's height, `x` of its
    width; a thing with a `lift` above 0 touches nothing.
    """

    kind: str
    colour: str
    x: float
    height: float
    facing: str
    count: int
    part_moved: bool = False
    upright: bool = True
    lift: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A whole picture in words: place, hour, weather, light, things (the first is the subject), and a sign that counts
    balloons.
    """

    place: str
    hour: str
    weather: str
    sun: str
    shadow: str
    horizon: float
    second_sun: bool
    reflection: bool
    things: tuple[Thing, ...]
    sign: int = 0
    balloons: int = 0


def other(side: str) -> str:
    return "right" if side == "left" else "left"


def _thing(kind: str, rng: np.random.Generator, x: float, height: float, wide: float = 0.62) -> Thing:
    has = KINDS[kind]
    height = min(height, wide / has.aspect)
    colour = str(rng.choice(has.colours))
    return Thing(kind, colour, x, height, str(rng.choice(["left", "right"])), has.repeat.count if has.repeat else 0)


def _companions(subject: str, place: str, rng: np.random.Generator, kinds: tuple[str, ...]) -> list[str]:
    """None, one or two of `kinds` that stand beside `subject` at `place` and are much smaller by nature."""
    few = {kind: KINDS[kind] for kind in kinds}
    fits = [k for k, v in few.items() if place in v.places and KINDS[subject].stature - v.stature >= 2]
    count = min(len(fits), int(rng.choice(3, p=[0.35, 0.4, 0.25])))
    return [str(kind) for kind in rng.choice(fits, count, replace=False)] if count else []


def _group(subject: str, companions: list[str], rng: np.random.Generator) -> tuple[Thing, ...]:
    """The subject, and its companions at its sides: one beside it, or one on either side."""
    side = int(rng.choice([-1, 1]))
    shift = 0.16 * side * (len(companions) == 1)
    first = _thing(subject, rng, 0.5 + shift + rng.uniform(-0.03, 0.03), rng.uniform(0.46, 0.56), 0.56)
    beside = [0.5 - side * 0.27] if len(companions) == 1 else [0.5 + side * 0.36, 0.5 - side * 0.36]
    return first, *(_thing(k, rng, x, rng.uniform(0.2, 0.25)) for k, x in zip(companions, beside, strict=False))


def usual(
    rng: np.random.Generator, kinds: tuple[str, ...] = tuple(KINDS), beside: tuple[str, ...] = tuple(KINDS)
) -> Scene:
    """Draw a plausible scene whose subject is one of `kinds`, and what stands beside it one of `beside`."""
    subject = str(rng.choice(kinds))
    place = str(rng.choice(KINDS[subject].places))
    sun, hour = str(rng.choice(["left", "right"])), str(rng.choice(HOURS, p=[0.7, 0.3]))
    weather = str(rng.choice(WEATHER[place]))
    companions = _companions(subject, place, rng, beside)
    number = int(rng.integers(1, 5)) if not companions and rng.random() < 0.45 else 0
    if companions:
        things = _group(subject, companions, rng)
    else:  # a sign stands at the picture's side and leaves less room
        aside = rng.uniform(0.1, 0.14) * rng.choice([-1, 1]) if number else rng.uniform(-0.12, 0.12)
        things = (_thing(subject, rng, 0.5 + aside, rng.uniform(0.46, 0.58), 0.5 if number else 0.62),)
    horizon, water = rng.uniform(0.5, 0.6), place == "lake"
    return Scene(place, hour, weather, sun, other(sun), horizon, False, water, things, number, number)


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


def _context(scene: Scene, rng: np.random.Generator) -> Scene:
    place = str(rng.choice(KINDS[scene.things[0].kind].wrong_places))
    weather = scene.weather if scene.weather in WEATHER[place] else "clear"
    return replace(scene, place=place, weather=weather, reflection=place == "lake")


def _scale(scene: Scene, rng: np.random.Generator) -> Scene:
    first, second, *rest = scene.things
    small = min(0.22, 0.3 / KINDS[first.kind].aspect)
    tall = min(0.48, (0.4 if rest else 0.5) / KINDS[second.kind].aspect)
    return replace(scene, things=(replace(first, height=small), replace(second, height=tall), *rest))


_VIOLATE = {
    "count": lambda scene, rng: _subject(scene, count=int(rng.choice(KINDS[scene.things[0].kind].repeat.wrong))),
    "placement": lambda scene, rng: _subject(scene, part_moved=True),
    "orientation": lambda scene, rng: _subject(scene, upright=False),
    "support": lambda scene, rng: _subject(scene, lift=float(rng.uniform(0.1, 0.2))),
    "shadow": lambda scene, rng: replace(scene, shadow=scene.sun),
    "light": lambda scene, rng: replace(scene, second_sun=True),
    "context": _context,
    "reflection": lambda scene, rng: replace(scene, reflection=False),
    "scale": _scale,
    "colour": lambda scene, rng: _subject(scene, colour=str(rng.choice(KINDS[scene.things[0].kind].wrong_colours))),
    "number": lambda scene, rng: replace(scene, balloons=int(rng.choice([n for n in range(1, 6) if n != scene.sign]))),
}


assert set(_VIOLATE) == set(FAMILIES) and set(WEATHER) == set(PLACES)
assert all(set(kind.places) <= set(PLACES) for kind in KINDS.values())
