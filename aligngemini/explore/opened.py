"""Open one image of the explorer of notebook 04: larger, with its scores, its degradation and the VLM's reason."""

from collections.abc import Callable
from functools import cached_property

import ipywidgets
import pandas as pd

from aligngemini.analysis import pictures
from aligngemini.branches import registry
from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.explore import show
from aligngemini.explore.degradation import detector
from aligngemini.images import degrade

SIDE = 224  # px
NOTHING, ASKED = "no image", "The reason is being written: some seconds, more the first time."
SILENT = "The {} gives no reason: objective dpo teaches it verdicts alone."


class Opened(ipywidgets.VBox):
    """A list of images, of which the chosen one is shown. `run` is that of notebook 04, None where only a folder is
    given, which has neither branches nor a data run; `find` gives the row of an image, with the verdicts `before` and
    `verdict`, by its place in the table of the explorer.
    """

    def __init__(self, run, names: list[str], find: Callable[[int], pd.Series]) -> None:
        self.run, self.names, self.find, self.settling = run, names, find, False
        self.choice = ipywidgets.Dropdown(
            options=[(NOTHING, None)], description="open", tooltip="image to open", **show.NAMED
        )
        self.shown, self.reason = ipywidgets.HTML(), ipywidgets.HTML()
        self.ask = show.Later(self.explain)
        self.choice.observe(lambda _: self.settling or self.change(), "value")
        super().__init__([self.choice, self.shown, self.reason])

    def offer(self, places: list[int]) -> None:
        """Offer these images, and the one that is open."""
        is_open = self.choice.value
        places = dict.fromkeys([*places, *([] if is_open is None else [is_open])])
        self.settling = True
        self.choice.options = [(NOTHING, None), *((self.label(place), place) for place in places)]
        self.choice.value = is_open
        self.settling = False
        self.draw()

    def take(self, place: int) -> None:
        """Open an image that may not be among those offered."""
        if place not in (offered := [each for _, each in self.choice.options if each is not None]):
            self.offer([*offered, place])
        self.choice.value = place

    def label(self, place: int) -> str:
        """What the list calls an image: what is true of it, and its number in the table."""
        return f"image {place}: {pictures.truth(self.find(place))}"

    def change(self) -> None:
        """Show the chosen image at once, and its reason when it has been written."""
        self.draw()
        self.reason.value = ""
        if self.choice.value is not None and self.run is not None:
            self.reason.value = show.said(ASKED)
            self.ask()

    def draw(self) -> None:
        """Show the chosen image."""
        rows = [] if self.choice.value is None else [self.find(self.choice.value)]
        self.shown.value = pictures.sheet(pd.DataFrame(rows), self.caption, SIDE).data if rows else ""

    def explain(self) -> None:
        """Write what the branch that gives reasons says of the chosen image."""
        if self.choice.value is None:
            return
        try:
            judging = detector(self.run)
            branch, path = judging.explainer, self.find(self.choice.value).path
        except Refused as refusal:
            self.reason.value = show.said(str(refusal))
            return
        title = registry.title(branch.name)
        if getattr(branch, "objective", "") == "dpo":
            self.reason.value = show.said(SILENT.format(title))
        else:
            self.reason.value = show.said(f"{title}, in words: {judging.explain([path])[0] or 'no reason'}")

    def caption(self, row: pd.Series) -> str:
        """What is true of an image, its two verdicts, its scores, and how it was degraded if it was."""
        before, now = (("real", "fake")[row[name]] for name in ("before", "verdict"))
        scores = [f"{registry.title(name)} {row[f'{name}_score']:.3f}" for name in self.names]
        verdicts = f"{pictures.truth(row)}: {before} → {now}" if before != now else f"{pictures.truth(row)}: {now}"
        return "\n".join(filter(None, [verdicts, ", ".join(scores), self.chain(row)]))

    def chain(self, row: pd.Series) -> str:
        """The values that an image was degraded by, "" if it was not or they are not known."""
        if self.degraded is None or (row.subset, row.image_id) not in self.degraded.index:
            return ""
        sampled = self.degraded.loc[[(row.subset, row.image_id)]].iloc[0]
        return ", ".join(f"{name.removeprefix('degrade_')} {value:.2g}" for name, value in sampled.items())

    @cached_property
    def degraded(self) -> pd.DataFrame | None:
        """The values of the degraded images of the test, by subset and image; None where only a folder was given."""
        if self.run is None:
            return None
        test = values.read(self.run.data.path("test.parquet"))
        return test.set_index(["subset", "image_id"])[[f"degrade_{name}" for name in degrade.DRAWN]].dropna()
