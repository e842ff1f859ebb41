"""Moving a control counts the saved verdicts again, quickly, and changes no file."""

from types import SimpleNamespace

import ipywidgets
import pandas as pd
import pytest

from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.explore import drawn, fusion, opened, show
from aligngemini.fusion import compare, rules
from aligngemini.fusion.join import columns


@pytest.fixture
def explorer(runs):
    return fusion.Explorer(fusion.read(runs[0]))


def numbers(explorer):
    return explorer.answer.value, explorer.table.value


def test_it_opens_on_the_run_s_own_state_and_names_every_control(explorer):
    assert explorer.rule.value == "or" and [each.value for each in explorer.thresholds] == [0.4, 0.6]
    assert explorer.part.value == "world: all 3 subsets"
    assert all(each.description and each.tooltip for each in (explorer.rule, explorer.part, explorer.reset))
    assert [each.slider.description for each in explorer.thresholds] == ["VLM", "expert"]
    assert [each.typed.tooltip for each in explorer.thresholds] == ["VLM, 0 to 1", "expert, 0 to 1"]
    assert "lack of a score: 1" in explorer.table.value and "No images change verdict" in explorer.gallery.value
    assert isinstance(explorer.widget, ipywidgets.Widget)


def test_its_numbers_and_intervals_are_those_of_the_run_s_tables(runs, explorer):
    saved = fusion.read(runs[0])
    scores = saved.joint[columns(saved.names)]
    fusions = compare.fusions(saved.thresholds, scores, saved.joint.label)
    table = compare.compare(saved.frame, saved.names, saved.thresholds, fusions, saved.params["resamples"])
    for rule in ("or", "odds", "max", "or_budget", "learned"):
        ours = explorer.counts.subsets("world: all 3 subsets", explorer.counts.verdicts(rule, saved.thresholds))
        theirs = table[table.rule == rule].reset_index(drop=True)
        pd.testing.assert_frame_equal(ours[["value", "low", "high"]], theirs[["value", "low", "high"]])


def test_a_threshold_moves_by_slider_and_by_any_typed_value_and_a_button_brings_it_back(explorer):
    before, vlm = (*numbers(explorer), explorer.drawn.value), explorer.thresholds[0]
    vlm.slider.value = 2.0
    assert vlm.value == pytest.approx(0.8807970779) and vlm.typed.value == 0.880797, "six digits are shown"
    assert numbers(explorer) != before[:2] and explorer.drawn.value != before[2]
    vlm.typed.value = 0.123456789
    assert explorer.setting == ("or", (0.123456789, 0.6)) and vlm.slider.value == pytest.approx(-1.96, abs=0.01)
    explorer.rule.value = "and"
    explorer.reset.click()
    assert explorer.setting == ("or", (0.4, 0.6)) and (*numbers(explorer), explorer.drawn.value) == before


@pytest.mark.parametrize("at", [0.0, 1e-9, 0.5, 1.0])
def test_a_probability_may_be_as_small_or_large_as_it_likes(at):
    control = show.Probability("VLM", 0.3)
    control.typed.value = at
    assert control.value == at and abs(control.slider.value) <= control.slider.max


@pytest.mark.parametrize(("rule", "said"), [("or_budget", "fitted"), ("learned", "fitted"), ("max", "as they are")])
def test_a_rule_that_ignores_thresholds_says_so(explorer, rule, said):
    explorer.thresholds[0].value = 0.2
    explorer.rule.value = rule
    before = numbers(explorer)
    assert said in explorer.note.value and "no effect" in explorer.note.value
    assert explorer.thresholds[0].slider.disabled and explorer.thresholds[0].typed.disabled
    explorer.thresholds[0].value = 0.9
    assert numbers(explorer) == before
    explorer.rule.value = "or"
    assert not explorer.thresholds[0].disabled and "no effect" not in explorer.note.value


def test_images_are_those_of_a_benchmark_or_of_one_subset(explorer):
    assert list(explorer.part.options) == ["world: all 3 subsets", "semantic", "pixel", "both"]
    explorer.part.value = "pixel"
    assert ">pixel<" in explorer.table.value and ">semantic<" not in explorer.table.value


def test_what_each_branch_adds_is_what_the_rule_loses_without_it(explorer):
    vlm, expert = explorer.counts.branches("pixel", "or", (0.4, 0.6), (0.4, 0.6))
    alone = explorer.counts.balanced("pixel", explorer.counts.verdicts("or", (0.4, 0.6), without=1))
    whole = explorer.counts.balanced("pixel", explorer.counts.verdicts("or", (0.4, 0.6)))
    assert expert["adds"] == pytest.approx(whole - alone) and expert["adds"] > vlm["adds"]
    assert expert["fake_alone"] <= expert["fake"] <= 60 and expert["real_alone"] <= expert["real"] <= 60


def test_images_that_change_verdict_are_shown_with_their_scores_and_their_degradation(runs, tmp_path):
    saved = fusion.read(runs[0])
    test = saved.frame[["subset", "image_id", "path"]].assign(degrade_scale=0.5, degrade_noise=4.0)
    test = test.assign(degrade_blur=0.8, degrade_jpeg=60.0)
    path = values.write(tmp_path / "test.parquet", test)
    explorer = fusion.Explorer(saved._replace(run=SimpleNamespace(data=SimpleNamespace(path=lambda name: path))))
    explorer.thresholds[1].value = 0.95
    page = explorer.gallery.value
    assert 0 < page.count("<img") <= fusion.CARDS and "→" in page and "VLM 0." in page
    assert "scale 0.5, noise 4, blur 0.8, jpeg 60" in page and "now wrong" in page


def press(explorer, kind, x, y, buttons=1):
    """An event of the browser at a place of the drawing, which is shown at half its size."""
    half = {"relativeX": x / 2, "relativeY": y / 2, "boundingRectWidth": drawn.WIDTH / 2, "buttons": buttons}
    explorer.pointer.take({"type": kind, **half})


def test_a_threshold_line_is_dragged_and_the_sliders_and_numbers_follow(explorer):
    before, (x, y) = numbers(explorer), (drawn.across(0.4), drawn.TOP + 20)
    press(explorer, "mousedown", x, y)
    press(explorer, "mousemove", drawn.across(0.9), y)
    press(explorer, "click", drawn.across(0.9), y)
    assert explorer.setting == ("or", (pytest.approx(0.9), 0.6)) and numbers(explorer) != before
    assert explorer.opened.choice.value is None, "the end of a drag is no click"
    press(explorer, "mousemove", drawn.across(0.2), y, buttons=0)
    assert explorer.thresholds[0].value == pytest.approx(0.9), "without a button nothing is dragged"
    explorer.rule.value = "learned"
    press(explorer, "mousedown", drawn.across(0.9), y)
    press(explorer, "mousemove", drawn.across(0.3), y)
    assert explorer.thresholds[0].value == pytest.approx(0.9), "a fitted rule has no line to drag"


def test_a_click_on_a_mark_opens_its_image_and_its_reason_is_written(explorer, monkeypatch):
    branch = SimpleNamespace(name="vlm", objective="dpo+sft")
    judging = SimpleNamespace(explainer=branch, explain=lambda paths: ["the sun <stands> twice"])
    monkeypatch.setattr(opened, "detector", lambda run: judging)
    explorer.opened.run, explorer.opened.degraded = "a run", None
    place = explorer.counts.distinct(explorer.part.value)[0]
    x, y = drawn.across(explorer.counts.scores[place, 0]), drawn._upwards(explorer.counts.scores[place, 1])
    press(explorer, "mousedown", x + 2, y)
    press(explorer, "click", x + 2, y)
    row = explorer.find(explorer.opened.choice.value)
    assert explorer.opened.shown.value.count("<img") == 1 and f"VLM {row.vlm_score:.3f}" in explorer.opened.shown.value
    assert "VLM, in words: the sun &lt;stands&gt; twice" in explorer.opened.reason.value
    explorer.thresholds[0].value = 0.99
    assert explorer.opened.choice.value == row.name, "it stays open while thresholds move"
    branch.objective = "dpo"
    explorer.opened.choice.value = None
    assert not explorer.opened.shown.value and not explorer.opened.reason.value
    explorer.opened.take(row.name)
    assert "dpo teaches it verdicts alone" in explorer.opened.reason.value


def test_without_a_joint_validation_set_no_fitted_rule_is_offered(runs_of):
    saved = fusion.read(runs_of(["vlm", "expert"], joint=False))
    assert saved.offered() == [name for name, rule in rules.RULES.items() if not rule.fitted]


def test_three_branches_have_three_thresholds_and_two_of_them_are_drawn(runs_of):
    explorer = fusion.Explorer(fusion.read(runs_of(["vlm", "expert", "other"])))
    assert len(explorer.thresholds) == 3 and [each.description for each in explorer.axes] == ["across", "upwards"]
    explorer.axes[1].value = 2
    assert "Scores of VLM and other by truth" in explorer.drawn.value
    before = numbers(explorer)
    explorer.thresholds[1].value = 0.05
    assert numbers(explorer) != before


def test_one_branch_alone_is_drawn_by_the_classes(runs_of):
    folder = runs_of(["other"])
    explorer = fusion.Explorer(fusion.read(folder))
    assert len(explorer.thresholds) == 1 and "Scores of other by truth" in explorer.drawn.value
    assert {trace.type for trace in fusion.picture(folder).data} == {"bar"}


def test_of_many_images_some_are_drawn_and_all_are_counted(runs):
    saved = fusion.read(runs[0])
    many = pd.concat([saved.frame.assign(image_id=saved.frame.image_id + str(i)) for i in range(12)])
    explorer = fusion.Explorer(saved._replace(frame=many.reset_index(drop=True)))
    assert "2000 of 2880 images drawn" in explorer.drawn.value


def test_nothing_is_written(runs):
    before = {path: path.stat().st_mtime_ns for path in runs[0].iterdir()}
    fusion.Explorer(fusion.read(runs[0])).thresholds[1].value = 0.1
    assert {path: path.stat().st_mtime_ns for path in runs[0].iterdir()} == before


def test_static_figure_and_refusal(runs, tmp_path):
    assert "above its threshold" in fusion.picture(runs[0]).layout.title.text
    with pytest.raises(Refused, match="04_fusion"):
        fusion.fusion(tmp_path)
