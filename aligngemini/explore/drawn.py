"""The plane of two scores as a light SVG, for an explorer that draws it again with every step of a slider."""

import base64
import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageColor

from aligngemini.analysis import plane, style
from aligngemini.branches import registry
from aligngemini.explore import show
from aligngemini.fusion import rules

POINTS = 2000  # drawn; counts are over all images
WIDTH, LEFT, TOP, SIDE, CELLS = 460, 48, 22, 360, 90  # px; cells of the region along each side
REACH = 7  # px from a mark or a line that still is on it


class Plane:
    """The points of distinct images, by their scores float64 [n, k] and labels [n], for any two of the branches."""

    def __init__(self, scores: np.ndarray, label: np.ndarray, names: list[str]) -> None:
        self.scores, self.label, self.names = scores, label, names
        self.points = lru_cache(16)(self._points)

    def _points(self, part: bytes, axes: tuple[int, ...]) -> tuple[str, str]:
        """The paths of the reals and of the fakes of the rows `part` (an int array as bytes)."""
        rows, x, y = self._places(np.frombuffer(part, dtype=np.int64), axes)
        fake = self.label[rows] == 1
        return _path(x[~fake], y[~fake], "m-3,0l3,-3l3,3l-3,3z"), _path(x[fake], y[fake], "h0")

    def _places(self, rows: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows that are drawn, and their places x and y."""
        rows = np.random.default_rng(0).permutation(rows)[:POINTS]
        return rows, across(self.scores[rows, axes[0]]), self._height(rows, axes)

    def nearest(self, rows: np.ndarray, axes: tuple[int, ...], x: float, y: float) -> int | None:
        """The row of the mark at a place of the drawing, None where there is none."""
        rows, at_x, at_y = self._places(rows, axes)
        apart = np.hypot(at_x - x, at_y - y)
        return int(rows[apart.argmin()]) if len(rows) and apart.min() <= REACH else None

    def _height(self, rows: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The second score, or of one branch alone a place of the image in the band of its class."""
        if len(axes) == 2:
            return _upwards(self.scores[rows, axes[1]])
        scattered = np.random.default_rng(1).uniform(0.06, 0.44, len(rows))
        return TOP + SIDE * (1 - scattered - 0.5 * self.label[rows])

    def svg(self, joined: rules.Fusion, rows: np.ndarray, axes: tuple[int, ...]) -> str:
        """The images `rows` by the scores of the branches `axes` (one or two), over what a rule calls fake."""
        region, single = rules.region(joined, axes), len(axes) == 1
        real, fake = self.points(np.ascontiguousarray(rows, np.int64).tobytes(), axes)
        ticks = [(at, f"{at:g}".replace("0.", ".")) for at in plane.TICKS]
        titles = [registry.title(self.names[place]) for place in axes]
        shown = f"{min(POINTS, len(rows))} of {len(rows)} images drawn"
        label = f"Scores of {' and '.join(titles)} by truth; shaded is what {joined.rule} calls fake; {shown}"
        return show.TEMPLATES.get_template("plane.svg.j2").render(
            label=label, note=shown, region=_shade(region), real=real, fake=fake,
            width=WIDTH, left=LEFT, top=TOP, side=SIDE,
            across=[(round(across(at), 1), text) for at, text in ticks], colours=style.TRUTH,
            dark={name: style.DARK[colour] for name, colour in style.TRUTH.items()},
            upwards=[] if single else [(round(_upwards(at), 1), text) for at, text in ticks],
            line_across=round(across(region.thresholds[0]), 1), font=style.FONT, ink=style.INK,
            line_upwards=None if single else round(_upwards(region.thresholds[1]), 1),
            title_across=titles[0], title_upwards="real, fake" if single else f"{titles[1]} score",
        )  # fmt: skip


def line_at(thresholds: Sequence[float], x: float, y: float) -> int | None:
    """Which of the lines of one or two thresholds lies at a place of the drawing, None for neither."""
    apart = [abs(x - across(thresholds[0])), *(abs(y - _upwards(threshold)) for threshold in thresholds[1:])]
    return int(np.argmin(apart)) if min(apart) <= REACH else None


def score_at(axis: int, x: float, y: float) -> float:
    """The score across (axis 0) or upwards (1) at a place of the drawing."""
    share = (x - LEFT) / SIDE if axis == 0 else 1 - (y - TOP) / SIDE
    return float(plane.score(plane.END * (2 * share - 1)))


def across(score):
    """Where a score lies on the axis across, px."""
    return LEFT + SIDE * (plane.place(score) + plane.END) / (2 * plane.END)


def _upwards(score):
    return TOP + SIDE * (plane.END - plane.place(score)) / (2 * plane.END)


def _path(x: np.ndarray, y: np.ndarray, mark: str) -> str:
    return "".join([f"M{at:.1f},{up:.1f}{mark}" for at, up in zip(x.tolist(), y.tolist(), strict=True)])


def _shade(region: rules.Region) -> str:
    """The part that a rule calls fake as the address of a PNG whose cells lie evenly on the axes."""
    places = np.linspace(-plane.END, plane.END, CELLS)
    nearest = np.searchsorted(region.side, plane.score(places)).clip(0, len(region.side) - 1)
    fake = region.verdict[np.ix_(*[nearest] * region.verdict.ndim)].reshape(-1, CELLS)[::-1]
    colours = np.array([(*ImageColor.getrgb(style.REAL), 13), (*ImageColor.getrgb(style.FAKE), 42)], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours[fake]).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
