"""The things of the small world: each kind is a list of parts in a unit box, with what is usual for it."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from aligngemini.core import reading

# A part is (shape, colour role, numbers): see kinds.yaml. Any other role than main and deep is the name of a colour.
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


KINDS = TypeAdapter(dict[str, Kind]).validate_python(reading.beside(__file__))
PLACES = ("meadow", "street", "lake", "snow", "desert")
