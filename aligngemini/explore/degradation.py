"""Notebook 04: degrade one image by sliders, and watch what every branch still says of it."""

import ipywidgets
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from PIL import Image

from aligngemini.analysis import pictures, style
from aligngemini.core import stages, values
from aligngemini.detector import Detector
from aligngemini.explore import show
from aligngemini.explore.given import Given, source
from aligngemini.fusion import description, strengths
from aligngemini.images import decode, degrade

WIDEST, SIDE = 512, 224  # px: of a larger image its centre is used; of an image as it is shown
LIMITS = {
    "scale": {"min": 0.1, "max": 1, "step": 0.05},
    "noise": {"min": 0, "max": 32, "step": 0.5},
    "blur": {"min": 0, "max": 4, "step": 0.1},
    "jpeg": {"min": 1, "max": 100, "step": 1},
}
SCORES = "to the right: strength of the degradation; dotted: the branches' thresholds"
SAYS = {"scale": "scale", "noise": "noise", "blur": "blur, px", "jpeg": "JPEG quality"}


def read(run) -> pd.DataFrame:
    """Return the table of fusion.strengths that a run of notebook 04 left. Raises Refused if it has none."""
    return values.read(run.path("strengths.parquet"), maker=stages.FUSION)


def picture(run) -> go.Figure:
    """Return the scores of one image of each kind against the strength of the chain, the figure above the explorer."""
    rows = read(run).dropna(subset="score")
    if rows.empty:
        return go.Figure(layout={"title": "No scores: the run's parameter degrade_examples is off", "height": 120})
    branches = rows.drop_duplicates("title").set_index("title")
    colours = branches.branch.map(style.colours(rows.branch)).to_dict()
    figure = px.line(
        rows, x="share", y="score", color="title", facet_col="example", symbol="title", markers=True,
        color_discrete_map=colours, labels={"share": "", "title": "", "score": "p(fake)"},
        **style.look("Images behind more and more of the degradation", SCORES, 380),
    )  # fmt: skip
    figure.for_each_annotation(lambda each: each.update(text=each.text.removeprefix("example=")))
    for title, at in branches.threshold.items():
        figure.add_hline(at, line={"color": colours[title], "dash": "dot"})
    return figure.update_yaxes(range=[-0.04, 1.04])


def degradation(run) -> ipywidgets.Widget:
    """Return the explorer: an image of the test or the user's, five sliders, what they do to its pixels, and the score
    of every branch. The branches are loaded with the first change; nothing is saved.
    """
    return Explorer(run).widget


def detector(run) -> Detector:
    """Return the detector of a run of notebook 04, whose branches are loaded once."""
    return Detector.described(description.read(run.folder), strengths.branches(run), repr(run), run.scale)


class Explorer:
    """The controls, the images and the scores. The first slider moves the other four along the ranges of the data."""

    def __init__(self, run) -> None:
        self.run, self.chain = run, degrade.ranges(run.data.params)
        rows = strengths.examples(values.read(run.path("fused.parquet")))
        examples = dict(zip(rows.example, rows.path, strict=True))
        first = examples.get(strengths.KINDS["pixel"], next(iter(examples.values())))
        self.image = ipywidgets.Dropdown(
            options=examples, value=first, description="image", tooltip="image of the test", **show.NAMED
        )
        self.given = Given()
        share = "all four together, as a share of the data's chain"
        self.whole = show.Number("all four", share, min=0, max=1, step=0.05, value=0)
        self.four = {
            name: show.Number(SAYS[name], SAYS[name], **LIMITS[name], value=degrade.UNCHANGED[name])
            for name in degrade.DRAWN
        }
        self.shown, self.said = ipywidgets.HTML(), ipywidgets.HTML()
        self.settling, self.score = False, show.Later(self.judge)
        self.rgb = _centre(self.image.value)
        self.image.observe(lambda change: self.take(change["new"]), "value")
        self.given.observe(lambda change: self.take(source(change["new"][0])), "value")
        self.whole.observe(lambda _: self.follow(), "value")
        for each in self.four.values():
            each.observe(lambda _: self.draw(), "value")
        side = ipywidgets.Layout(flex="1 1 320px", max_width="420px", overflow="hidden")
        self.shown.layout = self.said.layout = ipywidgets.Layout(flex="1 1 420px")
        controls = ipywidgets.VBox([self.image, self.given, self.whole, *self.four.values(), self.said], layout=side)
        self.widget = show.row(controls, self.shown)
        self.pixels()
        self.said.value = show.said("The branches are loaded with the first change.")

    def take(self, where) -> None:
        """Look at another image: a path or the bytes of a file."""
        try:
            self.rgb = _centre(where)
        except (decode.Unreadable, OSError) as error:
            self.said.value = show.said(f"This image cannot be read: {error}")
            return
        self.draw()

    def follow(self) -> None:
        """Set the four sliders to the share of the chain that the first one says, and draw once."""
        self.settling, at = True, degrade.middle(self.chain, self.whole.value)
        for name, slider in self.four.items():
            slider.value = getattr(at, name)
        self.settling = False
        self.draw()

    @property
    def degraded(self) -> np.ndarray:
        """The image behind the chain as the sliders say; where nothing is to be done, as it is."""
        at = {name: slider.value for name, slider in self.four.items()}
        if at == degrade.UNCHANGED:
            return self.rgb
        drawn = degrade.Values(**at | {"jpeg": round(at["jpeg"])}, down="bicubic", up="bicubic", grain=0)
        return degrade.degrade(self.rgb, drawn)

    def draw(self) -> None:
        """Show the pixels at once, and the scores as soon as nothing moves."""
        if not self.settling:
            self.pixels()
            self.score()

    def pixels(self) -> None:
        """Show the image before and after, the difference, and both spectra."""
        after = self.degraded
        spectra = map(pictures.spectrum, (after, self.rgb))  # what changes comes first: a small screen ends there
        made = [self.rgb, after, pictures.difference(self.rgb, after), *spectra]
        names = ["before", "after", f"difference × {pictures.GAIN}", "spectrum after", "spectrum before"]
        self.shown.value = pictures.strip(made, names, SIDE).data

    def judge(self) -> None:
        """Show what every branch says of the image as it is now."""
        judging = detector(self.run)
        row = judging([Image.fromarray(self.degraded)])  # an array of 1 to 4 rows may be one of channels
        self.said.value = show.verdict(row.iloc[0], judging.names, judging.fusion.thresholds, [judging.remark(row)])


def _centre(where) -> np.ndarray:
    """uint8 [H, W, 3] of a path or bytes, of a large image its centre: nothing is resized. Raises Unreadable."""
    rgb = decode.read(where).rgb
    top, left = (max(0, (side - WIDEST) // 2) for side in rgb.shape[:2])
    return rgb[top : top + WIDEST, left : left + WIDEST].copy()
