"""Published numbers are whole, add up, and are compared with ours only where both mean the same."""

import re

import numpy as np
import pandas as pd
import pytest

from aligngemini.analysis import published, tables
from aligngemini.scores.metrics import BALANCED, RECALL, SPECIFICITY

GROUPS = {"in_the_wild_5", "in_the_wild_4", "average_of_11", "vae_reconstruction"}
METRICS = {BALANCED, RECALL, SPECIFICITY, "accuracy", published.PRECISION, published.GAIN}


@pytest.fixture(scope="module")
def table():
    return published.load()


def ours(*rows):
    frame = pd.DataFrame(rows, columns=["benchmark", "subset", "metric", "value"])
    return frame.assign(title="mine", low=frame.value - 0.01, high=frame.value + 0.01, alike=True)


def test_every_row_says_what_it_is_and_where_it_comes_from(table):
    assert table.value.between(0, 1).all() and set(table.metric) <= METRICS
    assert set(table.benchmark) <= {*published.BENCHMARKS, *GROUPS}
    assert table.source.map(lambda each: bool(re.fullmatch(r"https://[^ ]+", each))).all()
    assert (table[["detector", "subset", "how"]] != "").all(axis=None)
    assert not table.duplicated(["detector", "benchmark", "subset", "metric"]).any()
    assert (table.spread.notna() == (table.spread_of != "")).all()
    assert set(table.protocol) == {published.PUBLISHED, "own"}
    assert table.how[table.protocol == published.PUBLISHED].str.contains("threshold 0.5").all()


def test_cells_of_aigi_now_average_to_what_is_printed(table):
    rows = table[(table.benchmark == "aigi_now") & (table.metric == BALANCED)]
    cells = rows[rows.subset != "mean"].groupby("detector").value.agg(["mean", "size"])
    probes = cells[cells["size"] == 18]["mean"]
    printed = rows[rows.subset == "mean"].set_index("detector").value
    assert len(probes) == 4 and np.allclose(probes, printed[probes.index], atol=0.001)


def test_eleven_benchmarks_average_and_bound_what_is_printed(table):
    rows = table[(table.source == "https://github.com/roy-ch/Dual-Data-Alignment") & table.spread_of.ne("benchmarks")]
    own = rows[rows.subset == "mean"].groupby("detector").value
    total = table[table.benchmark == "average_of_11"].set_index(["subset", "detector"]).value
    assert (own.size() == 11).all() and len(own) == 9
    assert np.allclose(own.mean(), total["mean"][own.mean().index], atol=0.0006)
    assert own.min().equals(total["minimum"][own.min().index].rename("value"))


def test_shifted_leaderboard_columns_are_doubted_and_never_a_mean(table):
    shifted = table[table.doubt.str.contains("shifted")]
    assert sorted(shifted.value) == [0.888, 0.922, 0.929] and (shifted.subset != "mean").all()
    assert table[(table.detector == "AlignGemini") & (table.subset == "mean")].doubt.eq("").all()


def test_a_benchmark_without_reals_has_recall_alone(table):
    assert set(table[table.benchmark == "evalgen"].metric) == {RECALL}


def test_beside_subtracts_like_from_like():
    got = published.beside(ours(("drct_2m", "mean", BALANCED, 0.9)))
    like = got[~got.detector.str.startswith("MIRROR")]
    assert set(got.benchmark) == {"drct_2m"} and (like.state == "").all() and len(like) == 10
    row = got[got.detector == "AlignGemini"].iloc[0]
    assert (row.ours, row.theirs) == (0.9, 0.981) and row.difference == pytest.approx(-0.081)
    assert (row.low, row.high) == pytest.approx((0.89, 0.91))


def test_another_metric_is_not_compared():
    got = published.beside(ours(("evalgen", "mean", BALANCED, 0.9), ("evalgen", "GoT", RECALL, 0.8)))
    mean = got[got.subset == "mean"]
    assert set(mean.state) == {"other metric"} and mean.difference.isna().all()
    cells = got[got.subset != "mean"].set_index("subset")
    assert cells.state["GoT"] == "" and cells.difference["GoT"] == pytest.approx(0.8 - 0.995)
    assert set(cells.state.drop("GoT")) == {"not run"}


def test_a_difference_needs_the_protocol_and_the_threshold_of_the_published_number():
    both = ours(("drct_2m", "mean", BALANCED, 0.9), ("aigi_now", "flux-dev/pixel", BALANCED, 0.9))
    got = published.beside(both)
    probes = got[(got.benchmark == "aigi_now") & got.ours.notna()]
    assert len(probes) and set(probes.state) == {published.PROTOCOL} and probes.difference.isna().all()
    unlike = published.beside(both.assign(alike=False))
    assert unlike.difference.isna().all() and published.PROTOCOL in set(unlike.state)
    row = published.shown(unlike)[unlike.detector.eq("DDA") & unlike.benchmark.eq("drct_2m")].iloc[0]
    assert (row["ours, %"], row.difference) == ("90.0 [89.0, 91.0]", "other protocol")


@pytest.mark.parametrize(
    ("benchmark", "crop", "thresholds", "rule", "alike"),
    [
        ("drct_2m", 336, {0.5}, "or", True),
        ("drct_2m", 0, {0.5}, "", True),
        ("drct_2m", 336, {0.5, 0.41}, "or", False),
        ("drct_2m", 336, {0.5}, "mean", False),
        ("drct_2m", 112, {0.5}, "or", False),
        ("genimage", 336, {0.5}, "or", False),
        ("aigibench", 336, {0.5}, "or", False),
    ],
)
def test_files_as_they_are_are_judged_as_published_only_where_that_is_the_protocol(
    benchmark, crop, thresholds, rule, alike
):
    assert published.as_published(benchmark, crop, thresholds, rule) is alike
    theirs = published.PROTOCOLS[published.PUBLISHED]
    assert published.as_published(benchmark, 336, {0.5}, "or", theirs)


def test_numbers_of_another_protocol_stand_beside_ours_without_a_difference():
    got = published.beside(ours(("rr_dataset", "mean", BALANCED, 0.8), ("synthbuster", "mean", BALANCED, 0.8)))
    mirror = got[got.detector.str.startswith("MIRROR")]
    assert sorted(mirror.theirs) == [0.768, 0.789, 0.883, 0.97, 0.981, 0.992]
    assert set(mirror.state) == {published.PROTOCOL} and mirror.difference.isna().all()
    alike = got[(got.detector == "DDA") & (got.subset == "mean")]
    assert alike.difference.tolist() == pytest.approx([0.8 - 0.901])


def test_every_benchmark_that_mirror_reports_is_there_for_each_of_its_backbones(table):
    rows = table[table.detector.str.startswith("MIRROR")]
    assert rows.groupby("detector").benchmark.nunique().tolist() == [13] * 3
    assert rows.doubt.str.contains("another version").groupby(rows.detector).sum().tolist() == [12, 0, 13]


def test_subsets_match_whatever_their_punctuation():
    got = published.beside(ours(("synthbuster", "dalle2", BALANCED, 0.5), ("aigi_now", "FLUX-dev/pixel", BALANCED, 1)))
    assert set(got[got.ours.notna()].subset) == {"DALL-E 2", "flux-dev/pixel"}


def test_two_subsets_are_not_compared_with_all_of_a_benchmark():
    got = published.beside(ours(("aigibench", "mean", RECALL, 0.9)))
    assert (got.state[got.subset != "mean"] == "not run").all() and "mean of 25" in set(got.subset)
    assert set(got.state[got.subset == "mean"]) == {published.OTHER} and got.difference.isna().all()


def test_a_benchmark_that_nobody_has_published_on_is_an_empty_table():
    got = published.beside(ours(("world", "semantic", BALANCED, 0.9)))
    assert got.empty and "state" in got


def test_without_measurements_everything_is_not_run_and_gains_are_no_levels(table):
    got = published.beside(ours())
    assert set(got.state) == {"not run"} and len(got) == (table.metric != published.GAIN).sum()


def test_the_alignment_table_can_be_set_beside(verdicts):
    recalls = verdicts[verdicts.label == 1].assign(benchmark="evalgen")
    both = verdicts.assign(benchmark="wildrf")
    both["subset"], recalls["subset"] = both.subset + ", web", recalls.subset.replace("pixel", "GoT")
    alignment = tables.alignment(pd.concat([both, recalls], ignore_index=True), resamples=50)
    got = published.beside(published.measured(alignment.assign(alike=False)))
    part = recalls[recalls.title == "expert, mixed"]
    row = got[(got.title == "expert, mixed") & (got.benchmark == "evalgen") & (got.detector == "DDA")]
    found = row.set_index("subset").ours
    assert found["mean"] == pytest.approx(part.groupby("subset").verdict.mean().mean())
    assert found["GoT"] == pytest.approx(part[part.subset == "GoT"].verdict.mean())
    wild = got[(got.benchmark == "wildrf") & (got.detector == "DDA") & (got.title == "expert, mixed")].iloc[0]
    own = alignment[(alignment.title == "expert, mixed") & (alignment.benchmark == "wildrf")].set_index("subset")
    assert (wild.ours, wild.low) == (own.value["mean"], own.low["mean"])


def test_people_read_percent():
    got = published.shown(published.beside(ours(("genimage", "mean", BALANCED, 0.5))))
    row = got[got.detector == "DDA"].iloc[0]
    assert (row["ours, %"], row["theirs, %"], row.difference) == ("50.0 [49.0, 51.0]", "91.7 ± 7.8", "-41.7")
    assert got[got.metric == "accuracy"]["ours, %"].unique().tolist() == ["other metric", "not run"]
