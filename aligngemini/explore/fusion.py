"""Notebook 04: move both thresholds and change the rule, and watch verdicts on saved scores being counted
again."""

import html
import json
from typing import NamedTuple

import ipywidgets
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML

from aligngemini.analysis import plane as planes
from aligngemini.analysis import style
from aligngemini.analysis.tables import folder
from aligngemini.explore import show
from aligngemini.fusion import join, rules
from aligngemini.scores import metrics, pictured

NAMES = ["vlm", "expert"]
DRAWN = 1500  # points in the moving plane; counts are over all images


class State(NamedTuple):
    """What the controls say."""

    rule: str
    vlm_threshold: float
    expert_threshold: float
    subset: str


def fusion(run_or_folder) -> ipywidgets.Widget:
    """The explorer over fused.parquet of a run of notebook 04: rule, two thresholds and subset; nothing is
    saved.

    Counting verdicts on saved scores is all that happens; images that lack a score are left out and
    counted.
    """
    frame, start = read(run_or_folder)
    controls = _controls(frame, start)
    output = ipywidgets.Output(layout=ipywidgets.Layout(min_height="600px"))

    def update(_=None) -> None:
        state = State(*(control.value for control in controls))
        show.put(output, *_view(frame, state))

    for control in controls:
        control.observe(update, names="value")
    update()
    text = show.note("Exploring only: the run's own thresholds were chosen on validation images.")
    return ipywidgets.VBox(
        [ipywidgets.HBox([ipywidgets.VBox(controls[::3]), ipywidgets.VBox(controls[1:3])]), text, output]
    )


def picture(run_or_folder) -> go.Figure:
    """The plane as the run left it: the static figure to stand above the explorer."""
    frame, start = read(run_or_folder)
    return planes.plane(frame, rules.region(rules.Fusion(start.rule, start[1:3])))


def read(run_or_folder) -> tuple[pd.DataFrame, State]:
    """The fused table of a run and the state it was made with."""
    place = folder(run_or_folder)
    frame = pictured.load(show.need(place / "fused.parquet", "04_fusion"))
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    results = manifest["results"]
    return frame, State(
        manifest["question"]["params"]["rule"],
        float(results["vlm_threshold"]),
        float(results["expert_threshold"]),
        "all subsets",
    )


def _controls(frame: pd.DataFrame, start: State) -> list:
    """The rule, both thresholds and the subset, in the order of State."""
    slider = {"min": 0.0, "max": 1.0, "step": 0.005, "readout_format": ".3f", **show.LABEL}
    return [
        ipywidgets.Dropdown(
            options=[name for name, rule in rules.RULES.items() if not rule.fitted],
            value=start.rule,
            description="rule",
            **show.LABEL,
        ),
        ipywidgets.FloatSlider(value=start.vlm_threshold, description="VLM threshold", **slider),
        ipywidgets.FloatSlider(value=start.expert_threshold, description="expert threshold", **slider),
        ipywidgets.Dropdown(
            options=[start.subset, *frame.subset.unique()],
            value=start.subset,
            description="subset",
            **show.LABEL,
        ),
    ]


def _view(frame: pd.DataFrame, state: State) -> tuple:
    """The plane and the counts for one state."""
    part = frame if state.subset not in set(frame.subset) else frame[frame.subset == state.subset]
    whole = part[join.scored(part, NAMES)]
    counts = count(whole, state)
    region = rules.region(rules.Fusion(state.rule, state[1:3]))
    figure = planes.plane(whole, region, rules.RULES[state.rule].text.capitalize(), DRAWN)
    return HTML(_table(counts, len(part) - len(whole))), figure


def count(whole: pd.DataFrame, state: State) -> pd.DataFrame:
    """Confusion counts and balanced accuracy by subset for one state; rows of the explorer's table."""
    verdict, _ = rules.Fusion(state.rule, state[1:3])(whole[[f"{name}_score" for name in NAMES]])
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
