"""Moving a control counts the saved verdicts again, quickly, and changes no file."""

import time

import ipywidgets
import pandas as pd
import pytest

from aligngemini.core.params import Refused
from aligngemini.explore import fusion
from aligngemini.fusion import rules
from aligngemini.scores import metrics

PLOTLY = "application/vnd.plotly.v1+json"


def parts(widget):
    """The controls by what they say, and the output."""
    boxes = widget.children[0].children
    return {control.description: control for box in boxes for control in box.children}, widget.children[-1]


def title(output):
    return output.outputs[1]["data"][PLOTLY]["layout"]["title"]["text"]


def test_it_opens_on_the_run_s_own_state(runs):
    controls, output = parts(fusion.fusion(runs[0]))
    assert list(controls) == ["rule", "subset", "VLM threshold", "expert threshold"]
    assert [control.value for control in controls.values()] == ["or", "all subsets", 0.4, 0.6]
    assert isinstance(output, ipywidgets.Output) and len(output.outputs) == 2
    assert PLOTLY in output.outputs[1]["data"] and "lack of a score: 1" in output.outputs[0]["data"]["text/html"]


def test_controls_move_the_counts(runs):
    controls, output = parts(fusion.fusion(runs[0]))
    before = output.outputs
    controls["VLM threshold"].value = 0.9
    assert output.outputs != before
    controls["rule"].value = "odds"
    assert "odds" in title(output)
    controls["subset"].value = "pixel"
    assert "semantic" not in output.outputs[0]["data"]["text/html"]


@pytest.mark.parametrize("rule", ["or_budget", "learned"])
def test_a_fitted_rule_is_shown_and_says_that_thresholds_move_nothing(runs, rule):
    widget = fusion.fusion(runs[0])
    controls, output = parts(widget)
    controls["rule"].value = rule
    before = output.outputs[0]
    assert f"fake by {rule}" in title(output) and "no effect" in widget.children[1].value
    assert controls["VLM threshold"].disabled
    controls["VLM threshold"].value = 0.9
    assert output.outputs[0] == before
    controls["rule"].value = "or"
    assert not controls["VLM threshold"].disabled and "no effect" not in widget.children[1].value


def test_without_a_joint_validation_set_no_fitted_rule_is_offered(runs_of):
    controls, _ = parts(fusion.fusion(runs_of(["vlm", "expert"], joint=False)))
    assert list(controls["rule"].options) == [name for name, rule in rules.RULES.items() if not rule.fitted]


def test_three_branches_have_three_sliders_and_two_of_them_are_drawn(runs_of):
    controls, output = parts(fusion.fusion(runs_of(["vlm", "expert", "other"])))
    assert list(controls) == [
        *("rule", "subset", "across", "upwards"),
        *("VLM threshold", "expert threshold", "other threshold"),
    ]
    assert "other branches at their thresholds" in title(output)
    controls["upwards"].value = 2
    axes = output.outputs[1]["data"][PLOTLY]["layout"]
    assert (axes["xaxis"]["title"]["text"], axes["yaxis"]["title"]["text"]) == ("VLM score", "other score")
    before = output.outputs[0]
    controls["expert threshold"].value = 0.05
    assert output.outputs[0] != before


def test_one_branch_alone_is_a_histogram(runs_of):
    folder = runs_of(["other"])
    controls, output = parts(fusion.fusion(folder))
    assert list(controls) == ["rule", "subset", "other threshold"]
    assert {trace["type"] for trace in output.outputs[1]["data"][PLOTLY]["data"]} == {"bar"}
    assert {trace.type for trace in fusion.picture(folder).data} == {"bar"}


def test_counts_are_those_of_the_rule(runs):
    whole = fusion.read(runs[0]).frame.dropna(subset="vlm_score")
    joined = rules.Fusion("and", (0.3, 0.7))
    counted = fusion.count(whole, ["vlm", "expert"], joined).set_index("subset")
    part = whole[whole.subset == "both"]
    verdict, _ = joined(part[["vlm_score", "expert_score"]])
    assert counted.value["both"] == pytest.approx(metrics.accuracies(part.label, verdict)["value"])
    assert counted.n["semantic"] == 119


def test_nothing_is_written(runs):
    before = {path: path.stat().st_mtime_ns for path in runs[0].iterdir()}
    controls, _ = parts(fusion.fusion(runs[0]))
    controls["expert threshold"].value = 0.1
    assert {path: path.stat().st_mtime_ns for path in runs[0].iterdir()} == before


def test_static_figure_and_refusal(runs, tmp_path):
    assert "fake by or" in fusion.picture(runs[0]).layout.title.text
    with pytest.raises(Refused, match="04_fusion"):
        fusion.fusion(tmp_path)


def test_an_update_of_thousands_of_rows_is_quick(runs):
    saved = fusion.read(runs[0])
    frame = pd.concat([saved.frame.assign(image_id=saved.frame.image_id + str(i)) for i in range(10)])
    many = saved._replace(frame=frame.reset_index(drop=True))
    times = []
    for _ in range(5):
        began = time.process_time()
        [fusion.show.bundle(each) for each in fusion.shown(many, saved.params["rule"], saved.thresholds)]
        times.append(time.process_time() - began)
    assert min(times) < 0.25
