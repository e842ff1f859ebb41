"""Notebook 04: move the thresholds and change the rule, and watch verdicts on saved scores being counted again."""

import html
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML

from aligngemini.analysis import plane as planes
from aligngemini.analysis import style
from aligngemini.branches import registry
from aligngemini.core import reading, values
from aligngemini.explore import show
from aligngemini.fusion import join, rules
from aligngemini.scores import metrics

DRAWN = 1500  # points in the moving plane; counts are over all images
ALL = "all subsets"
NOTE = "Exploring only: the run's own thresholds were chosen on validation images."
STILL = "This rule was fitted on the joint validation set: moving a threshold has no effect on it."


class State(NamedTuple):
    """What the controls say; `shown` are the places of the one or two branches whose scores are drawn."""

    rule: str
    thresholds: tuple[float, ...]
    subset: str
    shown: tuple[int, ...]


class Saved(NamedTuple):
    """What a run of notebook 04 left: its fused test table and joint validation table, the names of its branches, its
    parameters, and the state that it was made with.
    """

    frame: pd.DataFrame
    joint: pd.DataFrame
    names: list[str]
    params: dict
    start: State

    def fusion(self, state: State) -> rules.Fusion:
        """The rule of a state, fitted on the joint validation set if it is one of the fitted ones."""
        scores, label = self.joint[join.columns(self.names)], self.joint.label
        learned = self.params["false_positives"], self.params["learner"]
        return rules.Fusion.fit(state.rule, state.thresholds, scores, label, *learned)

    def offered(self) -> list[str]:
        """The rules that can be tried: the fitted ones only with a joint validation set."""
        scored = self.joint[join.scored(self.joint, self.names)]
        return [name for name, rule in rules.RULES.items() if not rule.fitted or scored.label.nunique() == 2]


def fusion(run_or_folder) -> ipywidgets.Widget:
    """The explorer over fused.parquet of a run of notebook 04: rule, a threshold for each branch, and subset; of more
    than two branches also which two are drawn. Nothing is saved.

    Counting verdicts on saved scores is all that happens; images that lack a score are left out and counted.
    """
    saved = read(run_or_folder)
    rule, subset, sliders, drawn = _controls(saved)
    output = ipywidgets.Output(layout=ipywidgets.Layout(min_height="600px"))
    note = show.note(NOTE)

    def update(_=None) -> None:
        thresholds = tuple(slider.value for slider in sliders)
        shown = tuple(control.value for control in drawn) or saved.start.shown
        state = State(rule.value, thresholds, subset.value, shown)
        note.value = show.note(STILL if rules.RULES[rule.value].fitted else NOTE).value
        for slider in sliders:
            slider.disabled = bool(rules.RULES[rule.value].fitted)
        show.put(output, *_view(saved, state))

    for control in (rule, subset, *sliders, *drawn):
        control.observe(update, names="value")
    update()
    columns = [ipywidgets.VBox([rule, subset, *drawn]), ipywidgets.VBox(sliders)]
    return ipywidgets.VBox([ipywidgets.HBox(columns), note, output])


def picture(run_or_folder) -> go.Figure:
    """The plane as the run left it: the static figure to stand above the explorer."""
    saved = read(run_or_folder)
    return _plane(saved.frame, saved.names, saved.fusion(saved.start), saved.start.shown)


def read(run_or_folder) -> Saved:
    """What a run of notebook 04, or its folder, left. Raises Refused if it is not complete."""
    place = Path(getattr(run_or_folder, "folder", run_or_folder))
    frame, joint = (values.read(show.need(place / name, "04_fusion")) for name in ("fused.parquet", "joint.parquet"))
    record = reading.json(place / "manifest.json")
    names, params = join.names(frame), record["question"]["params"]
    at = tuple(float(record["results"][f"{name}_threshold"]) for name in names)
    start = State(params["rule"], at, ALL, tuple(range(min(2, len(names)))))
    return Saved(frame, joint, names, params, start)


def _controls(saved: Saved) -> tuple:
    """The rule, the subset, a threshold for each branch, and for more than two branches those that are drawn."""
    slider = {"min": 0.0, "max": 1.0, "step": 0.005, "readout_format": ".3f", **show.LABEL}
    titles = [registry.title(name) for name in saved.names]
    rule = ipywidgets.Dropdown(options=saved.offered(), value=saved.start.rule, description="rule", **show.LABEL)
    subsets = [ALL, *saved.frame.subset.unique()]
    subset = ipywidgets.Dropdown(options=subsets, value=ALL, description="subset", **show.LABEL)
    sliders = [
        ipywidgets.FloatSlider(value=at, description=f"{title} threshold", **slider)
        for title, at in zip(titles, saved.start.thresholds, strict=True)
    ]
    places = [(title, place) for place, title in enumerate(titles)]
    drawn = [
        ipywidgets.Dropdown(options=places, value=place, description=text, **show.LABEL)
        for text, place in (("across", 0), ("upwards", 1))
        if len(titles) > 2
    ]
    return rule, subset, sliders, drawn


def _view(saved: Saved, state: State) -> tuple:
    """The counts and the plane for one state."""
    part = saved.frame if state.subset == ALL else saved.frame[saved.frame.subset == state.subset]
    whole = part[join.scored(part, saved.names)]
    joined = saved.fusion(state)
    counts = count(whole, saved.names, joined)
    return HTML(_table(counts, len(part) - len(whole))), _plane(whole, saved.names, joined, state.shown)


def _plane(rows: pd.DataFrame, names: list[str], joined: rules.Fusion, shown: tuple[int, ...]) -> go.Figure:
    """The scores of the branches that are drawn, over what the rule calls fake."""
    title = rules.RULES[joined.rule].text.capitalize()
    if rules.RULES[joined.rule].fitted == "thresholds":
        title += ": " + ", ".join(f"{at:.3f}" for at in joined.thresholds)
    return planes.plane(rows, rules.region(joined, shown), [names[place] for place in shown], title, DRAWN)


def count(whole: pd.DataFrame, names: list[str], joined: rules.Fusion) -> pd.DataFrame:
    """Confusion counts and balanced accuracy by subset under a fusion; rows of the explorer's table."""
    verdict, _ = joined(whole[join.columns(names)])
    judged = whole.assign(verdict=verdict)
    return pd.DataFrame(
        [
            {
                "benchmark": rows.benchmark.iloc[0],
                "subset": subset,
                **metrics.confusion(rows.label, rows.verdict),
                **metrics.accuracies(rows.label, rows.verdict),
            }
            for subset, rows in judged.groupby("subset", sort=False)
        ]
    )


def _table(counts: pd.DataFrame, missing: int) -> str:
    """The counts as a small HTML table."""
    titles = ["", "real → real", "real → fake", "fake → real", "fake → fake", "balanced accuracy"]
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(_row(row) for row in counts.itertuples())
    mean = " ".join(_mean(name, part) for name, part in counts.groupby("benchmark", sort=False))
    lost = f"Not counted, for lack of a score: {missing}." if missing else ""
    return (
        f"<div style='font:14px {style.FONT}'><table style='border-spacing:14px 2px;text-align:right'>"
        f"<tr>{head}</tr>{rows}</table><p>{mean} {lost}</p></div>"
    )


def _mean(benchmark: str, counts: pd.DataFrame) -> str:
    """The mean over the subsets of one benchmark, in words; nothing for fewer than two."""
    both = counts[counts.metric == metrics.BALANCED]
    if len(both) < 2:
        return ""
    name = html.escape(benchmark)
    return f"Mean balanced accuracy on {name} <b>{both.value.mean():.3f}</b> over {len(both)} subsets."


def _row(row) -> str:
    """One subset's line; a subset of one class names its measure."""
    name = "" if row.metric == metrics.BALANCED else f" ({row.metric})"
    cells = [row.real_real, row.real_fake, row.fake_real, row.fake_fake, f"<b>{row.value:.3f}</b>{name}"]
    return f"<tr><th>{html.escape(row.subset)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
