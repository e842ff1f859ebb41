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
from aligngemini.core import reading, stages, values
from aligngemini.explore import show
from aligngemini.fusion import join, rules
from aligngemini.scores import metrics

POINTS = 1500  # in the moving plane; counts are over all images
ALL = "all subsets"
NOTE = "Exploring only: the run's own thresholds were chosen on validation images."
FITTED = "This rule was fitted on the joint validation set: moving a threshold has no effect on it."
CELLS = {
    "real_real": "real → real",
    "real_fake": "real → fake",
    "fake_real": "fake → real",
    "fake_fake": "fake → fake",
}


class Saved(NamedTuple):
    """What a run of notebook 04 left: its fused test table and joint validation table, the names of its branches, its
    parameters, and the thresholds that it used.
    """

    frame: pd.DataFrame
    joint: pd.DataFrame
    names: list[str]
    params: dict
    thresholds: tuple[float, ...]

    def fusion(self, rule: str, thresholds: tuple[float, ...]) -> rules.Fusion:
        """Return a rule, fitted on the joint validation set if it is one of the fitted ones."""
        scores, label = self.joint[join.columns(self.names)], self.joint.label
        return rules.Fusion.fit(rule, thresholds, scores, label, self.params["false_positives"], self.params["learner"])

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
    return Saved(frame, joint, names, record["question"]["params"], thresholds)


def picture(run_or_folder) -> go.Figure:
    """Return the plane as the run left it: the static figure to stand above the explorer."""
    saved = read(run_or_folder)
    return plane(saved.frame, saved.names, saved.fusion(saved.params["rule"], saved.thresholds))


def fusion(run_or_folder) -> ipywidgets.Widget:
    """Return the explorer over fused.parquet of a run of notebook 04: rule, a threshold for each branch, and subset; of
    more than two branches also which two are drawn. Nothing is saved.

    Counting verdicts on saved scores is all that happens; images that lack a score are left out and counted.
    """
    saved = read(run_or_folder)
    rule, subset, sliders, axes = _controls(saved)
    note = ipywidgets.HTML()

    def view(name: str, part: str, *rest) -> tuple:
        fitted = bool(rules.RULES[name].fitted)
        note.value = f"<span style='color:{style.MUTED}'>{FITTED if fitted else NOTE}</span>"
        for slider in sliders:
            slider.disabled = fitted
        return shown(saved, name, rest[: len(sliders)], part, rest[len(sliders) :])

    columns = [ipywidgets.VBox([rule, subset, *axes]), ipywidgets.VBox(sliders)]
    return show.explorer([rule, subset, *sliders, *axes], view, ipywidgets.HBox(columns), note)


def _controls(saved: Saved) -> tuple:
    """Return the rule, the subset, a threshold for each branch, and for more than two branches those that are drawn."""
    limits = {"min": 0.0, "max": 1.0, "step": 0.005, "readout_format": ".3f", **show.LABEL}
    titles = [registry.title(name) for name in saved.names]

    def choice(text: str, options: list, value) -> ipywidgets.Dropdown:
        return ipywidgets.Dropdown(options=options, value=value, description=text, **show.LABEL)

    rule = choice("rule", saved.offered(), saved.params["rule"])
    subset = choice("subset", [ALL, *saved.frame.subset.unique()], ALL)
    sliders = [
        ipywidgets.FloatSlider(value=at, description=f"{title} threshold", **limits)
        for title, at in zip(titles, saved.thresholds, strict=True)
    ]
    places = [(title, place) for place, title in enumerate(titles)]
    axes = [choice(text, places, place) for place, text in enumerate(("across", "upwards")) if len(titles) > 2]
    return rule, subset, sliders, axes


def shown(saved: Saved, rule: str, thresholds: tuple[float, ...], subset: str = ALL, axes: tuple = ()) -> tuple:
    """Return the counts and the plane under a rule; `axes`: the places of the branches that are drawn."""
    part = saved.frame if subset == ALL else saved.frame[saved.frame.subset == subset]
    whole = part[join.scored(part, saved.names)]
    joined = saved.fusion(rule, thresholds)
    table = HTML(_table(count(whole, saved.names, joined), len(part) - len(whole)))
    return table, plane(whole, saved.names, joined, axes)


def plane(rows: pd.DataFrame, names: list[str], joined: rules.Fusion, axes: tuple = ()) -> go.Figure:
    """Return the scores of the branches at `axes` (default: the first two), over what the rule calls fake."""
    axes = axes or tuple(range(min(2, len(names))))
    title = rules.RULES[joined.rule].text.capitalize()
    if rules.RULES[joined.rule].fitted == "thresholds":
        title += ": " + ", ".join(f"{at:.3f}" for at in joined.thresholds)
    return planes.plane(rows, rules.region(joined, axes), [names[place] for place in axes], title, POINTS)


def count(whole: pd.DataFrame, names: list[str], joined: rules.Fusion) -> pd.DataFrame:
    """Return confusion counts and balanced accuracy by subset under a fusion."""
    verdict, _ = joined(whole[join.columns(names)])
    rows = []
    for subset, part in whole.assign(verdict=verdict).groupby("subset", sort=False):
        measures = metrics.confusion(part.label, part.verdict) | metrics.accuracies(part.label, part.verdict)
        rows.append({"benchmark": part.benchmark.iloc[0], "subset": subset} | measures)
    return pd.DataFrame(rows)


def _table(counts: pd.DataFrame, missing: int) -> str:
    """Return the counts as HTML, with the mean over the subsets of each benchmark that has several."""
    metric = counts.metric.where(counts.metric != metrics.BALANCED, "")  # a subset of one class names its measure
    value = counts.value.map("{:.3f} ".format) + metric
    rows = counts.set_index("subset")[list(CELLS)].rename(columns=CELLS).assign(**{metrics.BALANCED: value.to_list()})
    both = counts[counts.metric == metrics.BALANCED].groupby("benchmark", sort=False).value
    means = " ".join(
        f"Mean balanced accuracy on {html.escape(name)} <b>{part.mean():.3f}</b> over {len(part)} subsets."
        for name, part in both
        if len(part) > 1
    )
    lost = f"Not counted, for lack of a score: {missing}." if missing else ""
    return f"<div style='font:14px {style.FONT}'>{rows.rename_axis(None).to_html(border=0)}<p>{means} {lost}</p></div>"
