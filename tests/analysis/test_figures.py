"""Figures hold the numbers of their tables, in the house style, and stay small."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.analysis import figures, plane, style, tables
from aligngemini.branches import registry
from aligngemini.fusion import compare, rules

SIDES = [("real", "solid", 0.9), ("fake", "dash", 0.6)]


@pytest.fixture(scope="module")
def aligned(verdicts):
    return tables.alignment(verdicts, resamples=100)


def test_bars_carry_values_and_intervals(aligned):
    figure = figures.alignment(aligned)
    assert [bar.name for bar in figure.data] == aligned.title.unique().tolist()
    first = aligned[aligned.title == figure.data[0].name]
    assert list(figure.data[0].y) == first.value.tolist()
    assert np.allclose(np.array(figure.data[0].y) - figure.data[0].error_y.arrayminus, first.low)
    hatches = {bar.name: bar.marker.pattern.shape for bar in figure.data}
    assert hatches["VLM, mixed"] == "/" and hatches["VLM, semantic"] == "", "hatched where supervision is mixed"


def test_models_differ_by_more_than_colour(aligned, verdicts):
    def different(values):
        return len(set(values)) == len(values) > 4

    assert different([bar.marker.pattern.shape for bar in figures.alignment(aligned).data])
    assert different([dot.marker.symbol for dot in figures.subsets(aligned).data])
    assert different([line.line.dash for line in figures.roc(verdicts).data if line.showlegend])


def test_no_figure_offers_to_send_its_data_elsewhere(aligned):
    config = style.DATA.to_mimebundle(figures.alignment(aligned).to_dict())["application/vnd.plotly.v1+json"]["config"]
    assert config["showSendToCloud"] is False and config["displaylogo"] is False


def contrast(one, other):
    """The contrast of two colours '#RRGGBB', 1 to 21, as the guidelines for accessible pages define it."""

    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05

    first, second = sorted((light(one), light(other)))
    return second / first


def test_texts_can_be_read_on_light_and_on_dark_paper():
    for ink, paper in [
        (style.INK, "#FFFFFF"),
        (style.MUTED, style.PALE),
        (style.INK, style.LOW),
        (style.INK, style.HIGH),
    ]:
        assert contrast(ink, paper) >= 4.5 and contrast(style.DARK[ink], style.DARK[paper]) >= 4.5
    assert contrast(style.REAL, "#FFFFFF") >= 4.5 and contrast(style.DARK[style.REAL], style.DARK["#FFFFFF"]) >= 4.5


def test_values_in_tiles_are_written_in_ink(aligned):
    tiles = figures.heatmap(aligned)
    assert tiles.data[0].textfont.color == style.INK
    assert [at[1] for at in tiles.layout.coloraxis.colorscale] == [style.LOW, "#FFFFFF", style.HIGH]


def test_many_subsets_become_a_heatmap(aligned):
    one = aligned[aligned.subset == "both"]
    many = pd.concat([one.assign(subset=f"generator {i}") for i in range(9)])
    figure = figures.alignment(many)
    assert figure.data[0].type == "heatmap" and np.shape(figure.data[0].z) == (9, 5)


def test_dots_for_models_and_for_rules(aligned, fused):
    assert len(figures.subsets(aligned).data) == 5
    whole = fused[["subset", "image_id", "label", "vlm_score", "expert_score"]]
    joint = compare.fusions((0.5, 0.5), whole[["vlm_score", "expert_score"]], whole.label)
    dots = figures.subsets(compare.compare(whole, ["vlm", "expert"], (0.5, 0.5), joint, 50)).data
    assert [dot.name for dot in dots] == ["VLM", "expert", *rules.RULES]
    assert len({dot.marker.color for dot in dots}) == len(dots) and len({dot.marker.symbol for dot in dots}) >= 9


def test_roc_skips_subsets_of_one_class(verdicts):
    fakes = verdicts[verdicts.label == 1].assign(subset="fakes only")
    figure = figures.roc(pd.concat([verdicts, fakes]))
    assert {text.text for text in figure.layout.annotations} == {"semantic", "pixel", "both"}
    assert len(figure.data) == 15 and sum(line.showlegend for line in figure.data) == 5


def test_training_curves_mark_where_learning_starts():
    history = pd.DataFrame({"step": range(4), "loss": [0.69, 0.6, 0.5, 0.4], "margin": [0, 0.1, 0.3, np.nan]})
    figure = figures.training(history.assign(note="x"))
    assert len(figure.data) == 2 and len(figure.data[1].y) == 3
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [0, pytest.approx(np.log(2))]


def test_every_perturbation_has_a_panel_that_opens_with_the_untouched_images():
    about = [("none", np.nan, ""), ("jpeg", 90, "quality"), ("jpeg", 50, "quality"), ("blur", 2, "px")]
    curves = pd.DataFrame(about, columns=["perturbation", "severity", "unit"])
    curves = curves.merge(pd.DataFrame({"model": ["vlm", "mine"]}), "cross")
    figure = figures.degradation(curves.assign(value=0.75, real_accuracy=0.9, fake_accuracy=0.6))
    assert [note.text for note in figure.layout.annotations] == ["jpeg: quality", "blur: px"]
    assert {tuple(line.x) for line in figure.data} == {("none", "90", "50"), ("none", "2")}
    dashes = {(line.name, line.line.dash, line.y[0]) for line in figure.data}
    assert dashes == {(f"{model}, {side}", dash, at) for model in ("vlm", "mine") for side, dash, at in SIDES}


def test_histogram_counts_every_scored_image():
    frame = pd.DataFrame({"score": [0.0, 0.3, 1.0, np.nan], "label": [0, 1, 1, 0]})
    figure = figures.histogram(frame, 0.4)
    assert {bar.name: sum(bar.y) for bar in figure.data} == {"real": 1, "fake": 2}
    assert {bar.marker.pattern.shape for bar in figure.data} == {"", "/"}


def test_every_subset_has_a_histogram_of_its_own():
    frame = pd.DataFrame({"score": [0.1, 0.3, 0.9, 0.2], "label": [0, 1, 1, 0], "subset": ["a", "a", "b", "b"]})
    figure = figures.histogram(frame, 0.4)
    assert [note.text for note in figure.layout.annotations] == ["a", "b"]
    assert sorted(sum(bar.y) for bar in figure.data) == [1, 1, 1, 1]
    assert len({bar.xaxis for bar in figure.data}) == 2 and len(figure.layout.shapes) == 2, "the threshold is in both"


def test_a_histogram_shows_bars_of_one_image_and_of_hundreds_whole():
    frame = pd.DataFrame({"score": [0.0] * 300 + [0.9], "label": [0] * 300 + [1], "subset": ["a"] * 300 + ["b"]})
    axis = figures.histogram(frame, 0.4).layout.yaxis
    assert axis.type == "log" and 10 ** axis.range[0] < 1 and 300 < 10 ** axis.range[1] < 600


def test_plane_draws_each_image_once_and_few_enough(fused):
    region = rules.region(rules.Fusion("or", (0.4, 0.6)))
    figure = plane.plane(fused, region, ["vlm", "expert"])
    assert sum(len(trace.x) for trace in figure.data if trace.type == "scatter") == fused.image_id.nunique()
    assert "50 of 240" in plane.plane(fused, region, ["vlm", "expert"], most=50).layout.title.text
    assert [line.x0 for line in figure.layout.shapes][0] == pytest.approx(np.log(0.4 / 0.6))


def test_the_plane_tells_apart_what_lies_near_0_and_1_and_shows_real_images_above_fake_ones():
    scores = np.array([0, 1e-15, 1e-12, 1e-9, 1e-6, 0.001, 0.01, 0.5, 0.99, 1 - 1e-12, 1])
    places = plane.place(scores)
    assert (np.diff(places) > 0.05).all() and np.allclose(plane.score(places), scores, rtol=1e-6)
    assert places[0] == -plane.EDGE and places[-1] == plane.EDGE and plane.place(0.9) == pytest.approx(np.log(9))


def test_the_plane_draws_real_images_last_and_names_the_row_of_each_point(fused):
    figure = plane.plane(fused, rules.region(rules.Fusion("or", (0.4, 0.6))), ["vlm", "expert"])
    fakes, reals = [trace for trace in figure.data if trace.type == "scatter"]
    assert (fakes.name, reals.name) == ("fake", "real") and fakes.marker.symbol != reals.marker.symbol
    rows = fused.loc[list(reals.customdata)]
    assert (rows.label == 0).all() and np.allclose(plane.score(np.array(reals.x)), rows.vlm_score, atol=1e-3)
    assert list(figure.layout.xaxis.ticktext) == ["0", ".001", ".01", ".1", ".5", ".9", ".99", ".999", "1"]


def test_a_figure_is_small_and_wears_the_style(fused, aligned):
    region = rules.region(rules.Fusion("odds", (0.5, 0.5)))
    for figure in (plane.plane(fused, region, ["vlm", "expert"]), figures.alignment(aligned)):
        assert len(figure.to_json()) < 120_000
        assert figure.layout.template.layout.font.family == style.FONT


def test_every_branch_has_a_colour_of_its_own_and_registered_ones_keep_theirs():
    names = ["mine", "vlm", "yours", "fusion", "expert", "mine", "frequency"]
    colours = style.colours(names)
    assert len({style.REAL, style.FAKE, *(colours[name] for name in names)}) == 8
    assert style.colours(["yours", "vlm"])["vlm"] == colours["vlm"] == registry.kind("vlm").colour
    assert style.colours(["yours"])["yours"] == colours["mine"], "a branch of one's own is coloured by its place"
    assert len(style.colours(map(str, range(30)))) == 30 + len(style.FIXED)


def test_colours_can_be_faint():
    assert style.faint("#FF8000", 0.5) == "rgba(255,128,0,0.5)"
