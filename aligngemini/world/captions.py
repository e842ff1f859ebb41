"""Words for scenes: neutral captions that only describe, and one true sentence for each family of violation."""

from .kinds import KINDS
from .scenes import Scene, Thing, other

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
GROUND = {"meadow": "grass", "street": "asphalt", "lake": "water", "snow": "snow", "desert": "sand"}


def remark(scene: Scene, family: str) -> str:
    """One true sentence of the scene about what `family` concerns; of a violated scene it names the violation.

    "" where there is nothing to say; raises KeyError for an unknown family.
    """
    return _sentences(scene)[family]


def _sentences(scene: Scene) -> dict[str, str]:
    thing, kind, ground, wet = scene.things[0], KINDS[scene.things[0].kind], GROUND[scene.place], scene.place == "lake"
    name, part, repeat = thing.kind, kind.movable, kind.repeat
    second_sun = f" and another sun on the {other(scene.sun)}" if scene.second_sun else ""
    balloons = "is one balloon" if scene.balloons == 1 else f"are {NUMBERS[scene.balloons]} balloons"
    shadow = f"The sun is on the {scene.sun} and the shadow falls to the {scene.shadow}."
    reflection = f"The water shows {'the' if scene.reflection else 'no'} reflection of the {name}."
    return {
        "count": f"The {name} has {NUMBERS[thing.count]} {repeat.name}." if repeat else "",
        "placement": f"The {part.name} of the {name} is {part.wrong if thing.part_moved else part.usual}.",
        "orientation": f"The {name} is {'upright' if thing.upright else 'upside down'}.",
        "support": f"The {name} {'hovers above' if thing.lift else 'stands on'} the {ground}.",
        "shadow": "There is no shadow." if wet else shadow,
        "light": f"There is a sun on the {scene.sun}{second_sun}.",
        "context": f"The {name} is at the {scene.place}.",
        "reflection": reflection if wet else "",
        "scale": f"The {name} is {_order(scene)} than the {scene.things[1].kind}." if scene.things[1:] else "",
        "colour": f"The {name} is {thing.colour}.",
        "number": f"The sign says {NUMBERS[scene.sign]} and there {balloons}." if scene.sign else "",
    }


def _order(scene: Scene) -> str:
    return "larger" if scene.things[0].height > scene.things[1].height else "smaller"


def sky(scene: Scene) -> str:
    """Hour and weather in words."""
    weather = {"clear": "under a clear sky", "cloudy": "under clouds"}.get(scene.weather, f"in the {scene.weather}")
    return f"at {scene.hour} {weather}"


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
        yield "scale", _order(scene)
    if scene.sign:
        yield "number", f"sign {NUMBERS[scene.sign]}, balloons {NUMBERS[scene.balloons]}"


def pieces(scene: Scene) -> list[tuple[str, str]]:
    """The caption in pieces: (family that a piece tells of or "", text)."""
    first, *rest = scene.things
    others = "".join(f" and {_article(thing)} {thing.colour} {thing.kind}" for thing in rest)
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
    for about, text in pieces(scene):
        if about == family:
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
