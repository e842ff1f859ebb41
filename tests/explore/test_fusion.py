"""Moving a control counts the saved verdicts again, quickly, and changes no file."""

import time

import ipywidgets
import pandas as pd
import pytest

from aligngemini.explore import fusion
from aligngemini.fusion import rules
from aligngemini.scores import metrics
from aligngemini.workbook.params import Refused

PLOTLY = "application/vnd.plotly.v1+json"


def parts(widget):
    left, right = widget.children[0].children
    (rule, subset), (vlm, expert) = left.children, right.children
    return {"rule": rule, "subset": subset, "vlm": vlm, "expert": expert}, widget.children[-1]


def test_it_opens_on_the_run_s_own_state(runs):
    controls, output = parts(fusion.fusion(runs[0]))
    assert (controls["rule"].value, controls["vlm"].value, controls["expert"].value) == ("or", 0.4, 0.6)
    assert isinstance(output, ipywidgets.Output) and len(output.outputs) == 2
    assert PLOTLY in output.outputs[1]["data"] and "lack of a score: 1" in output.outputs[0]["data"]["text/html"]


def test_controls_move_the_counts(runs):
    controls, output = parts(fusion.fusion(runs[0]))
    before = output.outputs
    controls["vlm"].value = 0.9
    assert output.outputs != before
    controls["rule"].value = "odds"
    assert "odds" in output.outputs[1]["data"][PLOTLY]["layout"]["title"]["text"]
    controls["subset"].value = "pixel"
    assert "semantic" not in output.outputs[0]["data"]["text/html"]


def test_counts_are_those_of_the_rule(runs):
    frame, _ = fusion.read(runs[0])
    whole = frame[frame.vlm_score.notna()]
    state = fusion.State("and", 0.3, 0.7, "all subsets")
    counted = fusion.count(whole, state).set_index("subset")
    part = whole[whole.subset == "both"]
    verdict, _ = rules.Fusion("and", (0.3, 0.7))(part[["vlm_score", "expert_score"]])
    assert counted.value["both"] == pytest.approx(metrics.accuracies(part.label, verdict)["value"])
    assert counted.n["semantic"] == 119


def test_nothing_is_written(runs):
    before = {path: path.stat().st_mtime_ns for path in runs[0].iterdir()}
    controls, _ = parts(fusion.fusion(runs[0]))
    controls["expert"].value = 0.1
    assert {path: path.stat().st_mtime_ns for path in runs[0].iterdir()} == before


def test_static_figure_and_refusal(runs, tmp_path):
    assert "fake by or" in fusion.picture(runs[0]).layout.title.text
    with pytest.raises(Refused, match="04_fusion"):
        fusion.fusion(tmp_path)


def test_an_update_of_thousands_of_rows_is_quick(runs):
    frame, start = fusion.read(runs[0])
    many = pd.concat([frame.assign(image_id=frame.image_id + str(i)) for i in range(10)], ignore_index=True)
    times = []
    for _ in range(5):
        began = time.process_time()
        [fusion.show.bundle(each) for each in fusion._view(many, start)]
        times.append(time.process_time() - began)
    assert min(times) < 0.25
