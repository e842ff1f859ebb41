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
SKY = {"noon": ((120, 170, 226), (196, 218, 238)), "evening": ((150, 130, 176), (244, 198, 160))}
BALLOONS = [RGB[name] for name in ("red", "blue", "green", "yellow", "orange")]
SEGMENTS = {0: "abcdef", 1: "bc", 2: "abged", 3: "abgcd", 4: "fgbc", 5: "afgcd", 6: "afgedc"}
STROKES = {"a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2),
           "f": (0, 0, 0, 1),           "g": (0, 1, 1, 1)}  # fmt: skip


def _shade(colour: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    return tuple(int(min(255, c * factor)) for c in colour)


def _repeated(repeat: Repeat, count: int):
    x0, y0, x1, y1 = repeat.box
    for at in np.linspace(*repeat.along, count):
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
    height, width = thing.height * size, thing.height * size * KINDS[thing.kind].aspect
    left, top = thing.x * size - width / 2, foot - height - thing.lift * size

    def point(x: float, y: float) -> tuple[float, float]:
        x = x if thing.facing == "left" else 1 - x
        y = y if thing.upright else 1 - y
        down = top + y * height
        return left + x * width, (2 * foot - down) if mirrored else down

    return point


def _thing(canvas: ImageDraw.ImageDraw, thing: Thing, foot: float, size: int, tint=None, mirrored=False) -> None:
    point = _place(thing, foot, size, mirrored)
    for shape, role, numbers in _parts(thing):
        colour = RGB.get(role) or _shade(RGB[thing.colour], 1.0 if role == "main" else 0.72)
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
    width, deep = thing.height * size * KINDS[thing.kind].aspect, 0.045 * size
    way = 1 if side == "right" else -1
    near, far = thing.x * size, thing.x * size + way * (0.45 * width + 0.34 * size)
    back, front = near - way * 0.4 * width, near + way * 0.4 * width
    corners = [(back, foot - deep / 2), (far, foot - deep), (far, foot + deep), (front, foot + deep / 2)]
    canvas.polygon(corners, fill=_shade(ground, 0.55))


def _disc(canvas: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, fill) -> None:
    canvas.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)


def _sun(canvas: ImageDraw.ImageDraw, side: str, hour: str, size: int) -> None:
    x, y, r = (0.14 if side == "left" else 0.86) * size, 0.13 * size, 0.085 * size
    glow, fill = ((255, 190, 120), (255, 140, 60)) if hour == "evening" else ((214, 228, 240), (255, 226, 90))
    _disc(canvas, x, y, 1.25 * r, 1.25 * r, glow)
    _disc(canvas, x, y, r, r, fill)


def _sign(canvas: ImageDraw.ImageDraw, scene: Scene, size: int) -> None:
    x, y, unit = (0.13 if scene.things[0].x > 0.5 else 0.87) * size, 0.5 * size, 0.078 * size
    canvas.rectangle((x - 0.2 * unit, y, x + 0.2 * unit, 0.9 * size), fill=RGB["bark"])
    canvas.rectangle((x - 1.45 * unit, y - 1.7 * unit, x + 1.45 * unit, y + 1.7 * unit), fill=RGB["bark"])
    canvas.rectangle((x - 1.3 * unit, y - 1.55 * unit, x + 1.3 * unit, y + 1.55 * unit), fill=RGB["paper"])
    for x0, y0, x1, y1 in (STROKES[stroke] for stroke in SEGMENTS[scene.sign]):
        ends = x + (x0 - 0.5) * 1.3 * unit, y + (y0 - 1) * unit, x + (x1 - 0.5) * 1.3 * unit, y + (y1 - 1) * unit
        canvas.line(ends, fill=RGB["black"], width=int(0.5 * unit))


def _balloons(canvas: ImageDraw.ImageDraw, scene: Scene, size: int) -> None:
    for i in range(scene.balloons):
        x, y, r = (0.284 + 0.108 * i) * size, (0.09 + 0.03 * (i % 2)) * size, 0.045 * size
        canvas.line((x, y, x + 0.3 * r, y + 3.4 * r), fill=RGB["grey"], width=2)
        _disc(canvas, x, y, r, 1.2 * r, BALLOONS[i])
        _disc(canvas, x - 0.3 * r, y - 0.4 * r, 0.22 * r, 0.3 * r, RGB["paper"])


@cache
def _smooth(place: str, hour: str, horizon: int, size: int) -> np.ndarray:
    sky = np.linspace(*SKY[hour], horizon)
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


def _clouds(canvas: ImageDraw.ImageDraw, hour: str, size: int, draws: np.ndarray) -> None:
    """Three clouds of three puffs each; `draws` [3, 3] in [0, 1] place them."""
    fill = (246, 214, 196) if hour == "evening" else (240, 244, 248)
    for i, (across, down, wide) in enumerate(draws):
        x, y, r = (0.1 + 0.4 * i + 0.1 * across) * size, (0.16 + 0.2 * down) * size, (0.05 + 0.03 * wide) * size
        for dx, dy, ry in ((-1.2, 0.2, 0.6), (0.0, 0.0, 0.9), (1.2, 0.25, 0.55)):
            _disc(canvas, x + dx * r, y + dy * r, 1.2 * r, ry * r, fill)


def _far(canvas: ImageDraw.ImageDraw, scene: Scene, size: int, draws: np.ndarray) -> None:
    """What stands on the horizon: towers in a street, a shore at a lake, hills elsewhere; `draws` [3, 3] in [0, 1]."""
    line, haze = int(scene.horizon * size), _mix(GROUND[scene.place], SKY[scene.hour][1], 0.45)
    if scene.place == "street":
        haze = _mix(RGB["grey"], SKY[scene.hour][1], 0.5)
        for at, (left, high, wide) in zip(range(9), draws.repeat(3, 0), strict=True):
            x, top = (0.12 * at + 0.04 * left - 0.02) * size, (0.03 + 0.07 * ((high * 7.3 + at * 0.37) % 1)) * size
            canvas.rectangle((x, line - top, x + (0.05 + 0.05 * wide) * size, line), fill=haze)
    elif scene.place == "lake":
        canvas.rectangle((0, line - 0.018 * size, size, line), fill=_mix(GROUND["meadow"], SKY[scene.hour][1], 0.4))
    else:
        for i, (across, high, wide) in enumerate(draws):
            x, rx, ry = (0.4 * i + 0.2 * across) * size, (0.22 + 0.14 * wide) * size, (0.03 + 0.05 * high) * size
            canvas.pieslice((x - rx, line - ry, x + rx, line + ry), 180, 360, fill=haze)


def _mix(a: tuple[int, int, int], b: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    return tuple(int((1 - share) * x + share * y) for x, y in zip(a, b, strict=True))


def _backdrop(scene: Scene, size: int, rng: np.random.Generator) -> Image.Image:
    """Sky, what is far, ground, with their grain; always the same number of draws, so that twins stay alike."""
    horizon, draws = int(scene.horizon * size), rng.random((6, 3))
    grain = _grain(scene.place, horizon, size, rng)
    smooth = Image.fromarray(_smooth(scene.place, scene.hour, horizon, size).clip(0, 255).astype(np.uint8))
    canvas = ImageDraw.Draw(smooth)
    if scene.weather != "clear":
        _clouds(canvas, scene.hour, size, draws[:3])
    _far(canvas, scene, size, draws[3:])
    return Image.fromarray((np.asarray(smooth, np.int16) + grain).clip(0, 255).astype(np.uint8))


def _falling(canvas: ImageDraw.ImageDraw, weather: str, size: int, draws: np.ndarray) -> None:
    """Rain or snow before everything else; `draws` [n, 2] in [0, 1] are places."""
    for x, y in draws * size:
        if weather == "rain":
            canvas.line((x, y, x - 0.01 * size, y + 0.035 * size), fill=(196, 212, 226), width=1)
        elif weather == "snowfall":
            _disc(canvas, x, y, 0.006 * size, 0.006 * size, (250, 250, 252))


def _things(canvas: ImageDraw.ImageDraw, scene: Scene, size: int) -> None:
    foot = 0.84 * size
    for thing in reversed(scene.things):
        if scene.place == "lake" and scene.reflection:
            _thing(canvas, thing, foot, size, GROUND["lake"], mirrored=True)
        if scene.place != "lake":
            _shadow(canvas, thing, foot, size, scene.shadow, GROUND[scene.place])
    for thing in reversed(scene.things):
        _thing(canvas, thing, foot, size)


def paint(scene: Scene, rng: np.random.Generator, size: int = 112) -> np.ndarray:
    """Paint a scene: uint8 RGB [size, size, 3]; `rng` draws only backdrop and grain, never what is described."""
    double = 2 * size
    picture = _backdrop(scene, double, rng)
    canvas, drops = ImageDraw.Draw(picture), rng.random((60, 2))
    for side in (scene.sun, other(scene.sun))[: 1 + scene.second_sun]:
        _sun(canvas, side, scene.hour, double)
    _balloons(canvas, scene, double)
    _things(canvas, scene, double)
    if scene.sign:
        _sign(canvas, scene, double)
    _falling(canvas, scene.weather, double, drops)
    small = np.asarray(picture.reduce(2), np.int16) + rng.integers(-5, 6, (size, size, 1), dtype=np.int8)
    return small.clip(0, 255).astype(np.uint8)
