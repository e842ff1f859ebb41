"""Notebook 04: move the thresholds and change the rule, and watch verdicts on saved scores being counted again."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import pictures, style
from aligngemini.analysis import plane as planes
from aligngemini.branches import registry
from aligngemini.core import reading, stages, values
from aligngemini.explore import show
from aligngemini.explore.drawn import WIDTH, Plane, line_at, score_at
from aligngemini.explore.opened import Opened
from aligngemini.explore.pointer import Pointer
from aligngemini.explore.recount import Recount, ignores_thresholds
from aligngemini.fusion import join, rules
from aligngemini.scores import metrics

NOTE = "Exploring only: the run's own thresholds were chosen on validation images."
FITTED = "This rule was fitted on the joint validation set: moving a threshold has no effect on it."
RAW = "This rule takes the scores as they are: moving a threshold has no effect on it."
CARDS, THUMB = 8, 112  # images in the gallery at most, and their sides, px


class Saved(NamedTuple):
    """What a run of notebook 04 left: its fused test table and joint validation table, the names of its branches, its
    parameters, the thresholds that it used, and the run itself, None where only a folder is given.
    """

    frame: pd.DataFrame
    joint: pd.DataFrame
    names: list[str]
    params: dict
    thresholds: tuple[float, ...]
    run: Any = None

    def fusion(self, rule: str, thresholds: tuple[float, ...], places: tuple[int, ...] | None = None) -> rules.Fusion:
        """Return a rule of all branches or of those at `places`, fitted on the joint validation set if it is one of the
        fitted ones.
        """
        names = self.names if places is None else [self.names[place] for place in places]
        images = self.joint.drop_duplicates("image_id")
        fitting = images[join.columns(names)], images.label, self.params["false_positives"], self.params["learner"]
        return rules.Fusion.fit(rule, thresholds, *fitting)

    def offered(self) -> list[str]:
        """Return the rules that can be tried: the fitted ones only with a joint validation set."""
        scored = self.joint[join.scored(self.joint, self.names)]
        return [name for name, rule in rules.RULES.items() if not rule.fitted or scored.label.nunique() == 2]


def read(run_or_folder) -> Saved:
    """Return what a run of notebook 04, or its folder, left. Raises Refused if it is not complete."""
    place = Path(getattr(run_or_folder, "folder", run_or_folder))
    frame, joint = (values.read(place / name, maker=stages.FUSION) for name in ("fused.parquet", "joint.parquet"))
    record, names = reading.json(place / "manifest.json"), join.names(frame)
    thresholds = tuple(float(record["results"][f"{name}_threshold"]) for name in names)
    run = run_or_folder if hasattr(run_or_folder, "data") else None
    return Saved(frame, joint, names, record["question"]["params"], thresholds, run)


def picture(run_or_folder) -> go.Figure:
    """Return the plane as the run left it: the static figure to stand above the explorer."""
    saved = read(run_or_folder)
    joined = saved.fusion(saved.params["rule"], saved.thresholds)
    return planes.plane(saved.frame, rules.region(joined), saved.names[:2], rules.RULES[joined.rule].text.capitalize())


def fusion(run_or_folder) -> ipywidgets.Widget:
    """Return the explorer over a run of notebook 04, open on the run's own rule and thresholds. Nothing is saved.

    Counting verdicts on saved scores is all that happens; images that lack a score are left out and counted.
    """
    return Explorer(read(run_or_folder)).widget


class Explorer:
    """The controls (rule, images, a threshold for each branch, of more than two branches those that are drawn, a reset)
    and what is shown of them: the plane, the counts, and the images whose verdict differs from the run's.
    """

    def __init__(self, saved: Saved) -> None:
        self.saved, fit = saved, lru_cache(64)(saved.fusion)
        key = (saved.params["seed"], "fusion")
        self.counts = Recount(saved.frame, saved.names, fit, key, saved.params["resamples"], saved.params["confidence"])
        self.plane = Plane(self.counts.scores, self.counts.label, saved.names)
        self.rule = _choice("rule", saved.offered(), saved.params["rule"])
        self.part = _choice("images", list(self.counts.parts), next(iter(self.counts.parts)))
        pairs = zip(saved.names, saved.thresholds, strict=True)
        self.thresholds = [show.Probability(f"{registry.title(name)}", at) for name, at in pairs]
        titles = [(registry.title(name), place) for place, name in enumerate(saved.names)]
        self.axes = [_choice(text, titles, i) for i, text in enumerate(("across", "upwards")) if len(titles) > 2]
        self.reset = ipywidgets.Button(description="reset", tooltip="back to the rule and thresholds of the run")
        self.note, self.drawn, self.answer, self.table, self.gallery = (ipywidgets.HTML() for _ in range(5))
        self.opened = Opened(saved.run, saved.names, self.find)
        self.pointer = Pointer(self.drawn, WIDTH, self.grasp, self.drag, self.click)
        self.settling, self.looking, self.pulled = False, show.Later(self.look), (0, 0.5)
        self.pull = show.Later(self.follow, quiet=0.02, steady=True)
        for control in (self.rule, self.part, *self.thresholds, *self.axes):
            control.observe(lambda _: self.draw(), "value")
        self.reset.on_click(lambda _: self.go_back())
        self.before = lru_cache(None)(
            lambda part: self.counts.subsets(part, self.counts.verdicts(*self.own)).value.iloc[-1]
        )
        self.draw()

    @cached_property
    def widget(self) -> ipywidgets.Widget:
        """All of it: the plane beside the controls, or above them where the page is narrow."""
        self.drawn.layout = ipywidgets.Layout(flex="1 1 380px", max_width="500px")
        side = ipywidgets.Layout(flex="1 1 380px", max_width="640px", overflow="hidden", margin="0 0 0 12px")
        controls = [self.rule, self.part, *self.thresholds, *self.axes, self.reset, self.note, self.answer]
        top = show.row(self.drawn, ipywidgets.VBox(controls, layout=side))
        return ipywidgets.VBox([top, self.table, self.gallery, self.opened])

    def go_back(self) -> None:
        """Set the run's own rule and thresholds, and draw once."""
        self.settling = True
        self.rule.value = self.saved.params["rule"]
        for control, at in zip(self.thresholds, self.saved.thresholds, strict=True):
            control.value = at
        self.settling = False
        self.draw()

    @property
    def setting(self) -> tuple[str, tuple[float, ...]]:
        """The rule and the thresholds as they count: a rule that was fitted has those of the run."""
        rule = self.rule.value
        moved = tuple(control.value for control in self.thresholds)
        return rule, self.saved.thresholds if ignores_thresholds(rule, len(moved)) else moved

    def draw(self) -> None:
        """Count and draw for the state of the controls."""
        if self.settling:
            return
        (rule, thresholds), part = self.setting, self.part.value
        ignored = ignores_thresholds(rule, len(thresholds))
        text = NOTE if not ignored else FITTED if rules.RULES[rule].fitted else RAW
        self.note.value = f"<span style='opacity:.75'>{text}</span>"
        for control in self.thresholds:
            control.disabled = ignored
        joined = self.counts.fit(rule, thresholds, tuple(range(len(thresholds))))
        self.drawn.value = self.plane.svg(joined, self.counts.distinct(part), self.shown)
        self.answer.value, self.table.value = self.words(part, rule, thresholds, joined)
        self.looking()

    @property
    def shown(self) -> tuple[int, ...]:
        """The places of the one or two branches that are drawn."""
        return tuple(each.value for each in self.axes) or tuple(range(min(2, len(self.thresholds))))

    def grasp(self, x: float, y: float) -> int | None:
        """Which threshold line can be dragged at a place of the drawing."""
        moved = [self.thresholds[place] for place in self.shown]
        return None if moved[0].disabled else line_at([control.value for control in moved], x, y)

    def drag(self, line: int, x: float, y: float) -> None:
        """Move a threshold to a place of the drawing; the newest place counts where the mouse is faster."""
        self.pulled = self.shown[line], score_at(line, x, y)
        self.pull()

    def follow(self) -> None:
        """Set the threshold that is being dragged."""
        place, at = self.pulled
        self.thresholds[place].value = at

    def click(self, x: float, y: float) -> None:
        """Open the image of the mark at a place of the drawing."""
        place = self.plane.nearest(self.counts.distinct(self.part.value), self.shown, x, y)
        if place is not None:
            self.opened.take(place)

    def find(self, place: int) -> pd.Series:
        """The image at a place of the table, with its verdicts now and in the run."""
        verdicts = self.counts.verdicts(*self.setting), self.counts.verdicts(*self.own)
        return self.counts.judged(np.array([place]), *verdicts).iloc[0]

    def words(self, part: str, rule: str, thresholds: tuple[float, ...], joined: rules.Fusion) -> tuple[str, str]:
        """The answer and the branches, and the table of subsets, as HTML."""
        verdict, images = self.counts.verdicts(rule, thresholds), self.counts.distinct(part)
        rows = self.counts.subsets(part, verdict).to_dict("records")
        confusion = metrics.confusion(self.counts.label[images], verdict[images])
        branches = self.counts.branches(part, rule, thresholds, joined.thresholds)
        missing = self.counts.missing.get(self.counts.rows.benchmark.iloc[images[0]], 0)
        template = show.TEMPLATES.get_template("fusion.html.j2").make_module({"font": style.FONT})
        answer = template.answer(rows[-1], self.before(part), confusion, branches, rule)
        return str(answer), str(template.subsets(rows, missing, style.CELLS, metrics.BALANCED))

    def look(self) -> None:
        """Show images whose verdict is not that of the run: half of them now right, half now wrong."""
        verdict, own = self.counts.verdicts(*self.setting), self.counts.verdicts(*self.own)
        moved = self.counts.moved(self.part.value, verdict, own)
        right = moved.verdict == moved.label
        chosen = pd.concat([moved[right].head(CARDS // 2), moved[~right].head(CARDS // 2)])
        line = "No images change verdict against this run's own setting."
        if len(moved):
            line = f"Images that change verdict against this run's own setting: {len(moved)} ({right.sum()} now right, "
            line += f"{len(moved) - right.sum()} now wrong)."
        sheet = pictures.sheet(chosen, self.opened.caption, THUMB).data if len(chosen) else ""
        self.opened.offer([*chosen.index])
        self.gallery.value = f"<div style='font:13px {style.FONT}' role='status'>{line}</div>{sheet}"

    @property
    def own(self) -> tuple[str, tuple[float, ...]]:
        """The rule and thresholds of the run."""
        return self.saved.params["rule"], self.saved.thresholds


def _choice(text: str, options: list, value) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=options, value=value, description=text, tooltip=text, **show.NAMED)
