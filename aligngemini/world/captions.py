"""Words for scenes: neutral captions that only describe, and one true sentence for each family of violation."""

from .kinds import KINDS
from .scenes import Scene, Thing, other

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
GROUND = {"meadow": "grass", "street": "asphalt", "lake": "water", "snow": "snow", "desert": "sand"}


def _count(scene: Scene) -> str:
    subject = scene.things[0]
    repeat = KINDS[subject.kind].repeat
    return f"The {subject.kind} has {NUMBERS[subject.count]} {repeat.name}." if repeat else ""


def _placement(scene: Scene) -> str:
    subject = scene.things[0]
    part = KINDS[subject.kind].movable
    return f"The {part.name} of the {subject.kind} is {part.wrong if subject.part_moved else part.usual}."


def _orientation(scene: Scene) -> str:
    return f"The {scene.things[0].kind} is {'upright' if scene.things[0].upright else 'upside down'}."


def _support(scene: Scene) -> str:
    touch = "hovers above" if scene.things[0].lift else "stands on"
    return f"The {scene.things[0].kind} {touch} the {GROUND[scene.place]}."


def _shadow(scene: Scene) -> str:
    if scene.place == "lake":
        return "There is no shadow."
    return f"The sun is on the {scene.sun} and the shadow falls to the {scene.shadow}."


def _light(scene: Scene) -> str:
    second = f" and another sun on the {other(scene.sun)}" if scene.second_sun else ""
    return f"There is a sun on the {scene.sun}{second}."


def _reflection(scene: Scene) -> str:
    if scene.place != "lake":
        return ""
    return f"The {GROUND['lake']} shows {'the' if scene.reflection else 'no'} reflection of the {scene.things[0].kind}."


def _scale(scene: Scene) -> str:
    if len(scene.things) < 2:
        return ""
    first, second = scene.things[:2]
    order = "larger" if first.height > second.height else "smaller"
    return f"The {first.kind} is {order} than the {second.kind}."


def _number(scene: Scene) -> str:
    if not scene.sign:
        return ""
    there = "is one balloon" if scene.balloons == 1 else f"are {NUMBERS[scene.balloons]} balloons"
    return f"The sign says {NUMBERS[scene.sign]} and there {there}."


SENTENCES = {
    "count": _count,
    "placement": _placement,
    "orientation": _orientation,
    "support": _support,
    "shadow": _shadow,
    "light": _light,
    "context": lambda scene: f"The {scene.things[0].kind} is at the {scene.place}.",
    "reflection": _reflection,
    "scale": _scale,
    "colour": lambda scene: f"The {scene.things[0].kind} is {scene.things[0].colour}.",
    "number": _number,
}


def remark(scene: Scene, family: str) -> str:
    """One true sentence of the scene about what `family` concerns; of a violated scene it names the violation."""
    return SENTENCES[family](scene)


def sky(scene: Scene) -> str:
    """Hour and weather in words."""
    weather = {"clear": "under a clear sky", "cloudy": "under clouds"}.get(scene.weather, f"in the {scene.weather}")
    return f"at {scene.hour} {weather}"


def _named(thing: Thing) -> str:
    return f"{_article(thing)} {thing.colour} {thing.kind}"


def _article(thing: Thing) -> str:
    return "an" if thing.colour[0] in "aeiou" else "a"


def _phrases(scene: Scene):
    """(family, the same fact as in SENTENCES in a few words), in a fixed order."""
    subject, kind = scene.things[0], KINDS[scene.things[0].kind]
    if kind.repeat:
        yield "count", f"{NUMBERS[subject.count]} {kind.repeat.name}"
    yield "placement", f"{kind.movable.name} {kind.movable.wrong if subject.part_moved else kind.movable.usual}"
    yield "orientation", "upright" if subject.upright else "upside down"
    yield "support", f"{'above' if subject.lift else 'on'} the {GROUND[scene.place]}"
    yield "light", "suns on both sides" if scene.second_sun else f"sun on the {scene.sun}"
    yield "shadow", "no shadow" if scene.place == "lake" else f"shadow to the {scene.shadow}"
    if scene.place == "lake":
        yield "reflection", "a reflection" if scene.reflection else "no reflection"
    if len(scene.things) > 1:
        yield "scale", "larger" if subject.height > scene.things[1].height else "smaller"
    if scene.sign:
        yield "number", f"sign {NUMBERS[scene.sign]}, balloons {NUMBERS[scene.balloons]}"


def pieces(scene: Scene) -> list[tuple[str, str]]:
    """The caption in pieces: (family that a piece tells of or "", text)."""
    first, *rest = scene.things
    others = "".join(f" and {_named(thing)}" for thing in rest)
    opening = [
        ("", f"{_article(first).capitalize()} "),
        ("colour", first.colour),
        ("", f" {first.kind}{others} at the "),
    ]
    opening += [("context", scene.place), ("", f" {sky(scene)}: ")]
    listed = [piece for phrase in _phrases(scene) for piece in (("", ", "), phrase)]
    return [*opening, *listed[1:], ("", ".")]


def caption(scene: Scene) -> str:
    """All that can be seen, in a few words each, without any judgement: no word on strangeness, real or fake."""
    return "".join(text for _, text in pieces(scene))


def span(scene: Scene, family: str) -> tuple[int, int]:
    """Where in the caption (first character, end) it tells of `family`; raises KeyError if it does not."""
    start = 0
    for told, text in pieces(scene):
        if told == family:
            return start, start + len(text)
        start += len(text)
    raise KeyError(family)


QUESTIONS = {
    "count": "How many parts are there?",
    "placement": "Where is the part?",
    "orientation": "Which way up is it?",
    "support": "What does it stand on?",
    "shadow": "Where does the shadow fall?",
    "light": "Where is the sun?",
    "context": "Where is it?",
    "reflection": "What does the water show?",
    "scale": "Which one is larger?",
    "colour": "Which colour is it?",
    "number": "What does the sign say?",
}
"""One descriptive question per family; its answer is the family's sentence."""
