"""The painter: a scene's description becomes pixels, drawn twice as large and reduced, with grain finer than 8 px."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from .kinds import KINDS, Repeat
from .scenes import Scene, Thing, other

RGB = {
    "brown": (134, 84, 46), "black": (38, 38, 44), "white": (238, 238, 232), "grey": (132, 134, 140),
    "red": (204, 48, 44), "blue": (52, 98, 204), "green": (62, 140, 58), "yellow": (232, 196, 58),
    "orange": (228, 130, 40), "pink": (236, 130, 178), "purple": (130, 70, 170), "skin": (226, 178, 146),
    "eye": (18, 18, 20), "glass": (176, 212, 232), "lamp": (255, 236, 150), "bark": (104, 66, 40),
    "paper": (246, 242, 230),
}  # fmt: skip
GROUND = {"meadow": (112, 156, 72), "street": (128, 126, 124), "lake": (64, 116, 156), "snow": (228, 234, 242),
          "desert": (214, 180, 120)}  # fmt: skip
GRAIN = {"meadow": 34, "street": 26, "lake": 18, "snow": 14, "desert": 22}  # peak to peak, of 255
SEGMENTS = {0: "abcdef", 1: "bc", 2: "abged", 3: "abgcd", 4: "fgbc", 5: "afgcd", 6: "afgedc"}
STROKES = {"a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2),
           "f": (0, 0, 0, 1),           "g": (0, 1, 1, 1)}  # fmt: skip


def _shade(colour: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    return tuple(int(min(255, c * factor)) for c in colour)


def _colour(role: str, thing: Thing) -> tuple[int, int, int]:
    if role in ("main", "deep"):
        return _shade(RGB[thing.colour], 1.0 if role == "main" else 0.72)
    return RGB[role]


def _repeated(repeat: Repeat, count: int):
    x0, y0, x1, y1 = repeat.box
    start, stop = repeat.along
    for at in np.linspace(start, stop, count) if count > 1 else [(start + stop) / 2]:
        if not repeat.vertical:
            yield repeat.shape, repeat.role, (x0 + at, y0, x1 + at, y1)
        else:
            yield repeat.shape, repeat.role, (x0, at, x1, at + (y1 - y0) * 3 / max(count, 2))


def _parts(thing: Thing):
    kind = KINDS[thing.kind]
    repeated = list(_repeated(kind.repeat, thing.count)) if kind.repeat else []
    yield from () if kind.repeat and kind.repeat.front else repeated
    yield from kind.parts
    yield from repeated if kind.repeat and kind.repeat.front else ()
    dx, dy = kind.movable.shift if thing.part_moved else (0.0, 0.0)
    for shape, role, numbers in kind.movable.parts:
        yield shape, role, tuple(n + (dx if i % 2 == 0 else dy) for i, n in enumerate(numbers))


def _place(thing: Thing, foot: float, size: int, mirrored: bool):
    """Map from the unit box of a thing to pixels; `mirrored` gives its reflection below the foot."""
    height = thing.height * size
    width = height * KINDS[thing.kind].aspect
    left = thing.x * size - width / 2
    top = foot - height - (0.14 * size if thing.floating else 0.0)

    def point(x: float, y: float) -> tuple[float, float]:
        x = x if thing.facing == "left" else 1 - x
        y = y if thing.upright else 1 - y
        down = top + y * height
        return left + x * width, (2 * foot - down) if mirrored else down

    return point


def _thing(
    canvas: ImageDraw.ImageDraw, thing: Thing, foot: float, size: int, tint=None, mirrored: bool = False
) -> None:
    point = _place(thing, foot, size, mirrored)
    for shape, role, numbers in _parts(thing):
        colour = _colour(role, thing)
        if tint is not None:
            colour = tuple((2 * c + 3 * t) // 5 for c, t in zip(colour, tint, strict=True))
        corners = [point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if shape == "polygon":
            canvas.polygon(corners, fill=colour)
            continue
        (xa, ya), (xb, yb) = corners
        box = (min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))
        (canvas.ellipse if shape == "ellipse" else canvas.rectangle)(box, fill=colour)


def _shadow(canvas: ImageDraw.ImageDraw, thing: Thing, foot: float, size: int, side: str, ground) -> None:
    width = thing.height * size * KINDS[thing.kind].aspect
    near, far = thing.x * size, thing.x * size + (1 if side == "right" else -1) * (0.45 * width + 0.34 * size)
    deep = 0.045 * size
    half = 0.4 * width
    canvas.polygon(
        [
            (near - half, foot - deep / 2),
            (far, foot - deep),
            (far, foot + deep),
            (near + half, foot + deep / 2),
        ]
        if side == "right"
        else [
            (near + half, foot - deep / 2),
            (far, foot - deep),
            (far, foot + deep),
            (near - half, foot + deep / 2),
        ],
        fill=_shade(ground, 0.55),
    )


def _sun(canvas: ImageDraw.ImageDraw, side: str, size: int) -> None:
    x, y, r = (0.14 if side == "left" else 0.86) * size, 0.13 * size, 0.085 * size
    canvas.ellipse((x - r, y - r, x + r, y + r), fill=(255, 226, 90))


def _sign(canvas: ImageDraw.ImageDraw, scene: Scene, size: int) -> None:
    side = 0.12 if scene.things[0].x > 0.5 else 0.88
    x, y, unit = side * size, 0.62 * size, 0.055 * size
    canvas.rectangle((x - unit * 0.25, y, x + unit * 0.25, 0.9 * size), fill=RGB["bark"])
    canvas.rectangle((x - 1.7 * unit, y - 2.6 * unit, x + 1.7 * unit, y + 0.8 * unit), fill=RGB["paper"])
    for stroke in SEGMENTS[scene.sign]:
        x0, y0, x1, y1 = STROKES[stroke]
        at = (
            x + (x0 - 0.5) * 1.5 * unit,
            y + (y0 - 1.6) * 1.2 * unit,
            x + (x1 - 0.5) * 1.5 * unit,
            y + (y1 - 1.6) * 1.2 * unit,
        )
        canvas.line(at, fill=RGB["black"], width=int(unit * 0.6))


def _balloons(canvas: ImageDraw.ImageDraw, scene: Scene, size: int) -> None:
    for i in range(scene.balloons):
        x, y, r = (0.3 + 0.1 * i) * size, (0.08 + 0.03 * (i % 2)) * size, 0.04 * size
        canvas.line((x, y, x, y + 3 * r), fill=RGB["grey"], width=2)
        canvas.ellipse((x - r, y - r, x + r, y + 1.2 * r), fill=list(RGB.values())[4 + i])


@cache
def _smooth(place: str, horizon: int, size: int) -> np.ndarray:
    """Sky and ground without grain: int16 [size, size, 3]."""
    sky = np.linspace((120, 170, 226), (196, 218, 238), horizon)
    ground = np.linspace(_shade(GROUND[place], 0.92), _shade(GROUND[place], 1.06), size - horizon)
    return np.concatenate([sky, ground]).astype(np.int16)[:, None, :].repeat(size, 1)


def _grain(place: str, horizon: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Grain of sky and ground: int16 [size, size, 1]; water has ripples, the rest has speckles."""
    raw = rng.integers(-128, 128, (size, size, 1), dtype=np.int8).astype(np.int16)
    if place == "lake":
        raw[horizon:] = raw[horizon:, :1].repeat(size, 1)
    raw[:horizon] = raw[:horizon] * 8 // 256
    raw[horizon:] = raw[horizon:] * GRAIN[place] // 256
    return raw


def _backdrop(scene: Scene, size: int, rng: np.random.Generator) -> Image.Image:
    horizon = int(scene.horizon * size)
    canvas = _smooth(scene.place, horizon, size) + _grain(scene.place, horizon, size, rng)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8))


def paint(scene: Scene, rng: np.random.Generator, size: int = 112) -> np.ndarray:
    """Paint a scene: uint8 RGB [size, size, 3]; `rng` draws only grain, never anything that the description fixes."""
    double = 2 * size
    picture = _backdrop(scene, double, rng)
    canvas = ImageDraw.Draw(picture)
    foot = 0.84 * double
    _sun(canvas, scene.sun, double)
    if scene.second_sun:
        _sun(canvas, other(scene.sun), double)
    _balloons(canvas, scene, double)
    if scene.sign:
        _sign(canvas, scene, double)
    for thing in reversed(scene.things):
        if scene.place == "lake" and scene.reflection:
            _thing(canvas, thing, foot, double, GROUND["lake"], mirrored=True)
        if scene.place != "lake":
            _shadow(canvas, thing, foot, double, scene.shadow, GROUND[scene.place])
        _thing(canvas, thing, foot, double)
    small = np.asarray(picture.reduce(2), np.int16) + rng.integers(-5, 6, (size, size, 1), dtype=np.int8)
    return small.clip(0, 255).astype(np.uint8)
