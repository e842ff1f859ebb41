"""The explorer of supervision selects saved rows and never makes a number."""

from types import SimpleNamespace

import pandas as pd
import pytest

from aligngemini.analysis import figures, tables
from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.explore import supervision

PLOTLY = "application/vnd.plotly.v1+json"


def parts(widget):
    return widget.children[0].children, widget.children[1]


def bars(output):
    return [trace["name"] for trace in output.outputs[0]["data"][PLOTLY]["data"]]


def test_choices_change_bars_and_pictures(runs):
    (model, kind, _, _, subset, *_), output = parts(supervision.supervision(runs[1], most=3))
    assert bars(output) == ["VLM, semantic", "VLM, mixed"]
    assert output.outputs[2]["data"]["text/html"].count("<img") == 3
    kind.value = "pure"
    assert bars(output) == ["VLM, semantic"] and "pure supervision alone" in output.outputs[1]["data"]["text/html"]
    model.value = "expert"
    assert bars(output) == ["expert, pixel"]
    subset.value = "pixel"
    marker = output.outputs[0]["data"][PLOTLY]["data"][0]["marker"]
    assert marker["opacity"] == [0.25, 1.0, 0.25, 0.25]


def test_values_are_those_of_the_table(runs):
    table, _ = supervision.read(runs[1])
    figure = supervision.bars(table, "vlm", "mixed", supervision.EVERY)
    rows = table[table.title == "VLM, mixed"]
    assert list(figure.data[0].y) == rows.value.tolist()


def test_flipped_pictures_stand_once_and_are_right_for_the_chosen_side(runs):
    _, turned = supervision.read(runs[1])
    chosen = supervision.flipped(turned, "vlm", "pure", supervision.EVERY)
    assert (chosen.right == "pure").all() and chosen.image_id.is_unique and len(chosen)
    assert set(supervision.flipped(turned, "vlm", "mixed", "semantic").subset) <= {"semantic"}


def test_static_figure_and_refusal(runs, tmp_path):
    assert len(supervision.picture(runs[1]).data) == 4
    with pytest.raises(Refused, match="05_analysis"):
        supervision.supervision(tmp_path)


def test_a_branch_of_ones_own_is_chosen_like_the_others_and_keeps_its_colour(runs, tmp_path):
    table, turned = supervision.read(runs[1])
    own = [table[table.title == "VLM, semantic"].assign(model=name, title=name, supervision="") for name in ("a", "b")]
    every = pd.concat([table, *own], ignore_index=True)
    every.to_parquet(tmp_path / "alignment.parquet")
    turned.to_parquet(tmp_path / "flips.parquet")
    (model, *_), output = parts(supervision.supervision(tmp_path))
    assert [name for name, _ in model.options] == ["VLM", "expert", "a", "b", "all"]
    model.value = "b"
    assert bars(output) == ["b"] and "0 images" in output.outputs[1]["data"]["text/html"]
    beside = {trace.name: trace.marker.color for trace in figures.alignment(every).data}
    assert supervision.bars(every, "b", "pure", supervision.EVERY).data[0].marker.color == beside["b"] != beside["a"]


def test_all_branches_stand_side_by_side(runs):
    (model, *_), output = parts(supervision.supervision(runs[1]))
    model.value = supervision.ALL
    assert bars(output) == ["VLM, semantic", "VLM, mixed", "expert, pixel", "expert, mixed"]


def test_flipped_pictures_come_in_pages_and_by_violation(runs):
    _, turned = supervision.read(runs[1])
    (model, _, chart, _, _, family, page), output = parts(supervision.supervision(runs[1], most=4))
    count = len(supervision.flipped(turned, "vlm", supervision.BESIDE, supervision.EVERY))
    assert count > 8 and f"page 1 of {-(-count // 4)}" in output.outputs[1]["data"]["text/html"]
    assert chart.options == ("by subset",), "a folder does not know the runs below it"
    first = output.outputs[2]["data"]["text/html"]
    page.value = 2
    assert output.outputs[2]["data"]["text/html"] != first and "page 2 of" in output.outputs[1]["data"]["text/html"]
    page.value = 999
    last = -(-count // 4)
    assert f"page {last} of {last}" in output.outputs[1]["data"]["text/html"]
    assert list(family.options) == ["any violation", "count", "floating", "shadow"]
    family.value = "shadow"
    assert set(supervision.flipped(turned, "vlm", "side by side", "every subset", "shadow").family) == {"shadow"}
    assert output.outputs[2]["data"]["text/html"].count("fake, semantic, count") == 0


def test_a_flipped_picture_stands_beside_its_twin(tmp_path):
    test = pd.DataFrame(
        [("s", "r", "p", 0, "/real.png"), ("s", "f", "p", 1, "/fake.png"), ("s", "alone", "", 1, "/alone.png")],
        columns=["subset", "image_id", "pair_id", "label", "path"],
    )
    values.write(tmp_path / "test.parquet", test)
    run = SimpleNamespace(data=SimpleNamespace(path=tmp_path.joinpath))
    assert supervision.with_twins(test, run).twin.tolist() == ["/fake.png", "/real.png", ""]
    assert supervision.with_twins(test, tmp_path).twin.tolist() == ["", "", ""]


def charts(output):
    """The figures above the line of text: the names of the traces of each, and its title."""
    shown = [each["data"][PLOTLY] for each in output.outputs if PLOTLY in each["data"]]
    return [[trace["name"] for trace in each["data"]] for each in shown], [
        each["layout"]["title"]["text"] for each in shown
    ]


def test_another_finished_run_is_chosen_above_by_scale_seed_and_name(analyses, runs):
    chosen, explorer = supervision.supervision(analyses[0]).children
    assert [label for label, _ in chosen.options] == ["mini, seed 0, run0", "mini, seed 1, run1"]
    assert [name for name, _ in parts(explorer)[0][0].options] == ["VLM", "expert", "all"]
    box = supervision.supervision(analyses[0])
    box.children[0].value = "run1"
    assert [name for name, _ in parts(box.children[1])[0][0].options] == ["expert", "all"]
    (analyses[0].folder / "flips.parquet").unlink()
    box.children[0].value = "run0"
    assert "There is no table" in box.children[1].value, "a run that was deleted since is no silence"


def test_choices_that_another_run_has_too_stay(analyses):
    box = supervision.supervision(analyses[0])
    model, kind, chart, _, subset, _, page = parts(box.children[1])[0]
    model.value, kind.value, chart.value, subset.value, page.value = "vlm", "mixed", "training curves", "pixel", 2
    box.children[0].value = "run1"
    model, kind, chart, _, subset, _, page = parts(box.children[1])[0]
    assert (kind.value, chart.value, subset.value) == ("mixed", "training curves", "pixel")
    assert (model.value, page.value) == ("expert", 1), "this run has no VLM, and other pages"


def test_a_single_run_has_no_list_of_runs(analyses):
    analyses.pop()
    assert len(parts(supervision.supervision(analyses[0]))[0]) == 7


@pytest.mark.parametrize(("chart", "count"), [("by violation", tables.families), ("by generator", tables.generators)])
def test_shares_by_violation_and_generator_are_those_of_the_verdicts(analyses, chart, count):
    (model, kind, drawn, _, subset, *_), output = parts(supervision.supervision(analyses[0]).children[1])
    drawn.value = chart
    assert charts(output)[0] == [["VLM, semantic", "VLM, mixed"]]
    kind.value = "pure"
    assert charts(output)[0] == [["VLM, semantic"]]
    model.value, kind.value = "all", "side by side"
    assert charts(output)[0] == [["VLM, semantic", "VLM, mixed", "expert, pixel", "expert, mixed"]]
    verdicts = tables.of_run(analyses[0])[2]
    rows = supervision.rows_of(verdicts, "all", "side by side")
    by = supervision.SHARES[chart][0]
    figure = figures.families(count(rows), by)
    shown = output.outputs[0]["data"][PLOTLY]["data"]
    assert [list(trace["y"]) for trace in shown] == [list(trace.y) for trace in figure.data]
    subset.value = "pixel"
    if chart == "by violation":
        assert supervision.NOTHING in output.outputs[0]["data"]["text/html"], "no fake of this subset has a violation"
    else:
        assert list(output.outputs[0]["data"][PLOTLY]["data"][0]["y"]) == ["vae", "no generator"]


def test_training_curves_are_those_of_the_runs_below(analyses):
    (model, kind, chart, *_), output = parts(supervision.supervision(analyses[0]).children[1])
    chart.value = "training curves"
    assert charts(output)[1] == [
        figures.style.titled("VLM, semantic: training, run trained", "by optimiser step"),
    ]
    kind.value = "mixed"
    assert charts(output)[1] == [] and supervision.NOTHING in output.outputs[0]["data"]["text/html"]
