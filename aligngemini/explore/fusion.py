"""Notebook 04: move the thresholds and change the rule, and watch verdicts on saved scores being counted again."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import pandas as pd
import plotly.graph_objects as go

from aligngemini.analysis import pictures, style
from aligngemini.analysis import plane as planes
from aligngemini.branches import registry
from aligngemini.core import reading, stages, values
from aligngemini.explore import show
from aligngemini.explore.drawn import Plane
from aligngemini.explore.recount import Recount, ignores_thresholds
from aligngemini.fusion import join, rules
from aligngemini.images import degrade
from aligngemini.scores import metrics

NOTE = "Exploring only: the run's own thresholds were chosen on validation images."
FITTED = "This rule was fitted on the joint validation set: moving a threshold has no effect on it."
RAW = "This rule takes the scores as they are: moving a threshold has no effect on it."
CELLS = {
    "real_real": "real → real",
    "real_fake": "real → fake",
    "fake_real": "fake → real",
    "fake_fake": "fake → fake",
}
CARDS, THUMB = 8, 112  # images in the gallery at most, and their sides, px


class Saved(NamedTuple):
    """What a run of notebook 04 left: its fused test table and joint validation table, the names of its branches, its
    parameters, the thresholds that it used, and the test table of its data run, None where only a folder is given.
    """

    frame: pd.DataFrame
    joint: pd.DataFrame
    names: list[str]
    params: dict
    thresholds: tuple[float, ...]
    test: Path | None = None

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
    test = run_or_folder.data.path("test.parquet") if hasattr(run_or_folder, "data") else None
    return Saved(frame, joint, names, record["question"]["params"], thresholds, test)


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
        self.settling, self.looking = False, show.Later(self.look)
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
        return ipywidgets.VBox([show.row(self.drawn, ipywidgets.VBox(controls, layout=side)), self.table, self.gallery])

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
        axes = tuple(each.value for each in self.axes) or tuple(range(min(2, len(thresholds))))
        self.drawn.value = self.plane.svg(joined, self.counts.distinct(part), axes)
        self.answer.value, self.table.value = self.words(part, rule, thresholds, joined)
        self.looking()

    def words(self, part: str, rule: str, thresholds: tuple[float, ...], joined: rules.Fusion) -> tuple[str, str]:
        """The answer and the branches, and the table of subsets, as HTML."""
        verdict, images = self.counts.verdicts(rule, thresholds), self.counts.distinct(part)
        rows = self.counts.subsets(part, verdict).to_dict("records")
        confusion = metrics.confusion(self.counts.label[images], verdict[images])
        branches = self.counts.branches(part, rule, thresholds, joined.thresholds)
        missing = self.counts.missing.get(self.counts.rows.benchmark.iloc[images[0]], 0)
        template = show.TEMPLATES.get_template("fusion.html.j2").make_module({"font": style.FONT})
        answer = template.answer(rows[-1], self.before(part), confusion, branches, rule)
        return str(answer), str(template.subsets(rows, missing, CELLS, metrics.BALANCED))

    def look(self) -> None:
        """Show images whose verdict is not that of the run: half of them now right, half now wrong."""
        verdict, own = self.counts.verdicts(*self.setting), self.counts.verdicts(*self.own)
        moved = self.counts.moved(self.part.value, verdict, own)
        right = moved.verdict == moved.label
        chosen = pd.concat([moved[right].head(CARDS // 2), moved[~right].head(CARDS // 2)])
        line = f"{len(moved) or 'No'} images change verdict against this run's own setting"
        line += f": {right.sum()} are now right, {len(moved) - right.sum()} now wrong." if len(moved) else "."
        sheet = pictures.sheet(chosen, self.caption, THUMB).data if len(chosen) else ""
        self.gallery.value = f"<div style='font:13px {style.FONT}' role='status'>{line}</div>{sheet}"

    def caption(self, row: pd.Series) -> str:
        """What is true of an image, its two verdicts, its scores, and how it was degraded if it was."""
        before, now = (("real", "fake")[row[name]] for name in ("before", "verdict"))
        scores = [f"{registry.title(name)} {row[f'{name}_score']:.3f}" for name in self.saved.names]
        return "\n".join(filter(None, [f"{pictures.truth(row)}: {before} → {now}", ", ".join(scores), self.chain(row)]))

    def chain(self, row: pd.Series) -> str:
        """The values that an image was degraded by, "" if it was not or they are not known."""
        if self.degraded is None or (row.subset, row.image_id) not in self.degraded.index:
            return ""
        drawn = self.degraded.loc[[(row.subset, row.image_id)]].iloc[0]
        return ", ".join(f"{name.removeprefix('degrade_')} {value:.2g}" for name, value in drawn.items())

    @cached_property
    def degraded(self) -> pd.DataFrame | None:
        """The values of the degraded images of the test, by subset and image; None where only a folder was given."""
        if self.saved.test is None:
            return None
        test = values.read(self.saved.test)
        columns = [f"degrade_{name}" for name in degrade.DRAWN]
        return test.set_index(["subset", "image_id"])[columns].dropna()

    @property
    def own(self) -> tuple[str, tuple[float, ...]]:
        """The rule and thresholds of the run."""
        return self.saved.params["rule"], self.saved.thresholds


def _choice(text: str, options: list, value) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=options, value=value, description=text, tooltip=text, **show.NAMED)
