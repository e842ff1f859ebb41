"""The things of the small world: each kind is a list of parts in a unit box, with what is usual for it."""

from dataclasses import dataclass

# A part is (shape, colour role, numbers): "ellipse" and "box" take x0 y0 x1 y1, "polygon" takes x0 y0 x1 y1 ...;
# "main" is the colour of the thing itself, "deep" a darker shade of it, any other role is a colour name.
Part = tuple[str, str, tuple[float, ...]]


@dataclass(frozen=True)
class Repeat:
    """A part that comes in a known number: its name, that number, one shape, and the span in which it is repeated.

    `wrong` are the numbers that a violation draws from: only such as can be told from `count` at a glance.
    """

    name: str
    count: int
    shape: str
    role: str
    box: tuple[float, float, float, float]
    along: tuple[float, float]
    wrong: tuple[int, ...]
    vertical: bool = False
    front: bool = False


@dataclass(frozen=True)
class Movable:
    """The part that a misplacement moves: its parts, where it is (in words), where it goes, and by how much."""

    name: str
    usual: str
    wrong: str
    shift: tuple[float, float]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of thing; `stature` orders kinds by true size, `aspect` is width over height of its box."""

    aspect: float
    stature: int
    places: tuple[str, ...]
    wrong_places: tuple[str, ...]
    colours: tuple[str, ...]
    wrong_colours: tuple[str, ...]
    movable: Movable
    parts: tuple[Part, ...]
    repeat: Repeat | None = None


LAND = ("meadow", "street", "snow")
ODD = ("blue", "green", "pink", "purple")

KINDS: dict[str, Kind] = {
    "dog": Kind(
        1.35, 2, LAND, ("lake",), ("brown", "black", "white"), ODD,
        Movable("head", "in front", "on the back", (0.68, 0.0), (
            ("ellipse", "main", (0.0, 0.05, 0.34, 0.46)), ("ellipse", "deep", (0.2, 0.04, 0.31, 0.34)),
            ("ellipse", "eye", (0.08, 0.16, 0.14, 0.24)))),
        (("ellipse", "main", (0.16, 0.28, 0.9, 0.72)), ("polygon", "deep", (0.86, 0.45, 1.0, 0.12, 0.93, 0.5))),
        Repeat("legs", 4, "box", "deep", (0.0, 0.6, 0.09, 1.0), (0.17, 0.83), (2, 3, 5)),
    ),
    "person": Kind(
        0.62, 3, LAND, ("lake",), ("red", "blue", "grey"), ("green", "pink", "purple"),
        Movable("head", "on top", "at the belly", (0.0, 0.34), (
            ("ellipse", "skin", (0.28, 0.0, 0.72, 0.24)), ("ellipse", "eye", (0.36, 0.08, 0.44, 0.14)),
            ("ellipse", "eye", (0.56, 0.08, 0.64, 0.14)))),
        (("box", "main", (0.25, 0.23, 0.75, 0.66)), ("box", "skin", (0.08, 0.25, 0.25, 0.58)),
         ("box", "skin", (0.75, 0.25, 0.92, 0.58))),
        Repeat("legs", 2, "box", "black", (0.0, 0.62, 0.14, 1.0), (0.2, 0.66), (1, 3)),
    ),
    "table": Kind(
        1.5, 2, ("meadow", "street"), ("lake",), ("brown", "white", "yellow"), ("green", "pink", "purple"),
        Movable("top", "above", "below", (0.0, 0.5), (("box", "main", (0.0, 0.2, 1.0, 0.4)),)),
        (),
        Repeat("legs", 4, "box", "deep", (0.0, 0.3, 0.08, 1.0), (0.02, 0.9), (2, 3, 5, 6)),
    ),
    "car": Kind(
        1.8, 4, ("street", "meadow", "snow"), ("lake",),
        ("red", "white", "yellow", "blue"), ("pink", "purple", "brown"),
        Movable("cabin", "above", "below", (0.0, 0.5), (
            ("polygon", "deep", (0.16, 0.42, 0.3, 0.06, 0.72, 0.06, 0.86, 0.42)),
            ("polygon", "glass", (0.25, 0.4, 0.34, 0.14, 0.68, 0.14, 0.77, 0.4)))),
        (("box", "main", (0.0, 0.4, 1.0, 0.76)), ("box", "lamp", (0.0, 0.48, 0.06, 0.58))),
        Repeat("wheels", 2, "ellipse", "black", (0.0, 0.58, 0.22, 1.0), (0.06, 0.72), (1, 3)),
    ),
    "tree": Kind(
        0.85, 5, ("meadow", "street"), ("lake", "desert"), ("green", "orange", "yellow"), ("blue", "pink", "purple"),
        Movable("crown", "on top", "at the foot", (0.0, 0.4), (
            ("ellipse", "main", (0.02, 0.1, 0.6, 0.62)), ("ellipse", "main", (0.4, 0.12, 0.98, 0.6)),
            ("ellipse", "main", (0.2, 0.0, 0.8, 0.5)))),
        (("box", "bark", (0.42, 0.1, 0.58, 1.0)),),
    ),
    "house": Kind(
        1.1, 6, ("meadow", "street", "snow"), ("lake",), ("white", "yellow", "red"), ("green", "pink", "purple"),
        Movable("roof", "on top", "at the foot", (0.0, 0.58), (("polygon", "bark", (0.0, 0.42, 0.5, 0.0, 1.0, 0.42)),)),
        (("box", "main", (0.1, 0.4, 0.9, 1.0)), ("box", "deep", (0.42, 0.66, 0.6, 1.0))),
        Repeat("windows", 2, "box", "glass", (0.0, 0.46, 0.16, 0.63), (0.15, 0.69), (1, 3), front=True),
    ),
    "bird": Kind(
        1.2, 1, LAND, (), ("black", "red", "yellow"), ("green", "pink", "purple"),
        Movable("beak", "in front", "on the back", (0.86, 0.12), (
            ("polygon", "orange", (0.16, 0.12, 0.0, 0.23, 0.17, 0.32)),)),
        (("ellipse", "main", (0.3, 0.25, 0.95, 0.75)), ("ellipse", "main", (0.12, 0.03, 0.45, 0.42)),
         ("ellipse", "deep", (0.45, 0.32, 0.88, 0.6)), ("ellipse", "eye", (0.19, 0.12, 0.26, 0.21))),
        Repeat("legs", 2, "box", "orange", (0.0, 0.68, 0.07, 1.0), (0.4, 0.8), (1, 3, 4)),
    ),
    "boat": Kind(
        1.4, 4, ("lake",), ("meadow", "street", "snow", "desert"),
        ("red", "white", "brown"), ("green", "pink", "purple"),
        Movable("sail", "above", "below", (0.0, 0.42), (("polygon", "paper", (0.5, 0.0, 0.95, 0.58, 0.5, 0.58)),)),
        (("box", "bark", (0.45, 0.0, 0.51, 0.7)), ("polygon", "main", (0.0, 0.64, 1.0, 0.64, 0.82, 1.0, 0.18, 1.0))),
    ),
    "duck": Kind(
        1.3, 1, ("lake",), ("street", "desert"), ("white", "brown", "yellow"), ODD,
        Movable("head", "in front", "on the back", (0.64, 0.0), (
            ("ellipse", "deep", (0.05, 0.0, 0.4, 0.5)), ("polygon", "orange", (0.1, 0.2, -0.08, 0.3, 0.1, 0.38)),
            ("ellipse", "eye", (0.13, 0.12, 0.2, 0.21)))),
        (("ellipse", "main", (0.08, 0.4, 0.95, 1.0)), ("polygon", "main", (0.8, 0.6, 1.0, 0.3, 0.95, 0.72))),
    ),
    "lamp": Kind(
        0.5, 5, ("street", "meadow", "snow"), ("lake", "desert"), ("black", "grey"), ("pink", "green", "purple"),
        Movable("light", "on top", "at the foot", (0.0, 0.74), (
            ("ellipse", "lamp", (0.12, 0.0, 0.88, 0.26)), ("box", "main", (0.3, 0.0, 0.7, 0.06)))),
        (("box", "main", (0.4, 0.2, 0.6, 1.0)), ("box", "main", (0.2, 0.92, 0.8, 1.0))),
    ),
    "mushroom": Kind(
        0.95, 1, ("meadow",), ("lake", "snow", "street"), ("red", "brown", "orange"), ("blue", "green", "purple"),
        Movable("cap", "on top", "at the foot", (0.0, 0.52), (
            ("ellipse", "main", (0.0, 0.0, 1.0, 0.5)), ("ellipse", "paper", (0.2, 0.12, 0.38, 0.26)),
            ("ellipse", "paper", (0.58, 0.16, 0.76, 0.3)))),
        (("box", "paper", (0.36, 0.22, 0.64, 1.0)),),
    ),
    "snowman": Kind(
        0.62, 3, ("snow",), ("desert", "meadow", "lake"), ("white",), ("green", "pink", "purple", "blue"),
        Movable("hat", "on top", "at the foot", (0.0, 0.76), (
            ("box", "black", (0.3, 0.0, 0.7, 0.16)), ("box", "black", (0.18, 0.13, 0.82, 0.19)))),
        (("ellipse", "eye", (0.38, 0.24, 0.46, 0.3)), ("ellipse", "eye", (0.54, 0.24, 0.62, 0.3))),
        Repeat("balls", 3, "ellipse", "main", (0.18, 0.0, 0.82, 0.3), (0.16, 0.7), (2, 5), vertical=True),
    ),
    "cactus": Kind(
        0.8, 3, ("desert",), ("snow", "lake"), ("green",), ("blue", "pink", "purple", "red"),
        Movable("flower", "on top", "at the foot", (0.0, 0.78), (("ellipse", "pink", (0.32, 0.0, 0.68, 0.18)),)),
        (("box", "main", (0.36, 0.1, 0.64, 1.0)), ("box", "deep", (0.46, 0.14, 0.5, 0.98))),
        Repeat("arms", 2, "box", "main", (0.0, 0.36, 0.18, 0.72), (0.04, 0.78), (0, 1)),
    ),
}  # fmt: skip

PLACES = ("meadow", "street", "lake", "snow", "desert")
