"""The sentences that a report opens with follow from the numbers, by rule."""

import pandas as pd
import pytest

from aligngemini.analysis import pairs, tables
from aligngemini.analysis.answers import answers, headline
from aligngemini.core.params import Refused

MADE_FOR = {"vlm": "semantic", "expert": "pixel", "fusion": "pure"}
TITLES = {"vlm": "VLM, semantic", "expert": "expert, pixel", "fusion": "fusion (or)"}
GOOD, CHANCE, WIDE = (0.9, 0.85, 0.95), (0.5, 0.45, 0.55), (0.6, 0.35, 0.8)


def level(model, subset, bounds, benchmark="world"):
    """One row of an alignment table: value, low, high."""
    row = {"title": TITLES[model], "model": model, "supervision": MADE_FOR[model], "benchmark": benchmark}
    row |= {"subset": subset, "axis": subset, "metric": "balanced accuracy", "real_accuracy": 0.975}
    return row | dict(zip(("value", "low", "high"), bounds, strict=True))


def levels(vlm=(GOOD, CHANCE), expert=(CHANCE, GOOD), fusion=(GOOD, GOOD), benchmark="world"):
    """An alignment table: of each model its value on semantic and on pixel fakes, and a mean."""
    found = {"vlm": vlm, "expert": expert, "fusion": fusion}
    rows = [
        level(model, subset, bounds, benchmark)
        for model, both in found.items()
        for subset, bounds in zip(("semantic", "pixel", "mean"), (*both, both[0]), strict=True)
    ]
    return pd.DataFrame(rows)


def change(model, bounds, p, other="mixed", benchmark="world"):
    """One row of a table of differences: difference, low, high, and the corrected p."""
    axis = MADE_FOR[model]
    row = {"model": model, "pure": TITLES[model], "other": f"{model}, {other}", "other_supervision": other}
    row |= {"pure_supervision": axis, "benchmark": benchmark, "subset": axis, "axis": axis, "p_holm": p}
    return row | dict(zip(("difference", "low", "high"), bounds, strict=True))


def gain(bounds, p, best="vlm", benchmark="world"):
    """One row of a table of differences: fusion against a branch."""
    row = change(best, bounds, p, "pure", benchmark)
    return row | {"model": "fusion", "other": "fusion (or)", "subset": "mean", "axis": "all"}


UNMIXED = [change("vlm", (0.0, -0.02, 0.02), 1.0), change("expert", (0.01, -0.01, 0.03), 1.0)]


def answer(place, alignment=None, differences=UNMIXED):
    return answers(levels() if alignment is None else alignment, pd.DataFrame(differences))[place]


@pytest.mark.parametrize(
    ("vlm", "expert", "word"),
    [
        ((GOOD, CHANCE), (CHANCE, GOOD), "It holds"),
        (((0.9, 0.85, 0.95), (0.7, 0.6, 0.8)), (CHANCE, GOOD), "It holds"),
        (((0.9, 0.85, 0.95), (0.85, 0.8, 0.9)), (CHANCE, GOOD), "Not shown"),  # intervals that meet
        ((GOOD, CHANCE), (CHANCE, WIDE), "Not shown"),
        ((GOOD, CHANCE), (CHANCE, CHANCE), "It does not hold"),
        ((GOOD, CHANCE), (GOOD, (0.7, 0.65, 0.75)), "It does not hold"),  # better at the other task
        ((WIDE, CHANCE), (CHANCE, CHANCE), "It does not hold"),
    ],
)
def test_alignment_holds_where_each_branch_sees_its_own_kind_and_less_of_the_other(vlm, expert, word):
    found = answer(0, levels(vlm, expert))
    assert (found.question, found.word) == ("Does alignment hold here?", word)
    assert f"expert reaches {tables.spell(*expert[1])}" in found.sentence


def test_alignment_is_told_with_its_numbers():
    said = "VLM reaches 0.90 [0.85, 0.95] on semantic fakes and 0.50 [0.45, 0.55] (chance) on pixel fakes; expert"
    assert answer(0).sentence.startswith(said)


def test_alignment_cannot_be_said_without_fakes_of_one_kind():
    assert answer(0, levels().assign(axis="unknown")).word == "Cannot be said"


@pytest.mark.parametrize(
    ("vlm", "expert", "word"),
    [
        ((0.0, -0.02, 0.02, 1.0), (0.01, -0.01, 0.03, 1.0), "It does not hurt"),
        ((-0.1, -0.15, -0.05, 0.001), (-0.1, -0.15, -0.05, 0.001), "It hurts"),
        ((-0.1, -0.15, -0.05, 0.001), (0.0, -0.02, 0.02, 1.0), "It hurts in part"),
        ((-0.1, -0.15, -0.05, 0.2), (0.0, -0.02, 0.02, 1.0), "Not shown"),  # luck among many comparisons
        ((-0.02, -0.2, 0.2, 1.0), (0.0, -0.02, 0.02, 1.0), "Not shown"),
        ((0.1, 0.05, 0.15, 0.001), (0.1, 0.05, 0.15, 0.001), "It helps"),
    ],
)
def test_mixing_hurts_only_where_a_loss_is_shown_on_the_own_kind(vlm, expert, word):
    decoy = change("vlm", (-0.4, -0.5, -0.3), 0.0) | {"subset": "pixel", "axis": "pixel"}
    rows = [change(model, found[:3], found[3]) for model, found in (("vlm", vlm), ("expert", expert))]
    found = answer(1, differences=[*rows, decoy, change("vlm", (-0.4, -0.5, -0.3), 0.0, "union")])
    assert found.word == word and f"VLM {tables.spell(*vlm[:3], sign=True)} on semantic fakes" in found.sentence


def test_without_a_mixed_run_nothing_is_said_of_mixing():
    rows = [change("vlm", (-0.4, -0.5, -0.3), 0.0, "union")]
    assert (
        answer(1, differences=rows).word
        == answer(1, differences=pd.DataFrame(columns=rows[0])).word
        == "Cannot be said"
    )


@pytest.mark.parametrize(
    ("world", "web", "word"),
    [
        ((0.1, 0.05, 0.15, 0.001), (0.1, 0.05, 0.15, 0.001), "It pays"),
        ((0.1, 0.05, 0.15, 0.001), (-0.1, -0.15, -0.05, 0.001), "On 1 of 2 benchmarks"),
        ((0.1, 0.05, 0.15, 0.2), (0.0, -0.15, 0.15, 1.0), "Not shown"),
        ((-0.1, -0.15, -0.05, 0.001), (-0.1, -0.15, -0.05, 0.001), "It does not pay"),
    ],
)
def test_a_rule_pays_where_it_is_above_the_best_branch_on_the_same_pictures(world, web, word):
    both = pd.concat([levels(), levels(benchmark="web")])
    rows = [gain(found[:3], found[3], benchmark=name) for name, found in (("world", world), ("web", web))]
    found = answer(2, both, [*UNMIXED, *rows, gain((0.4, 0.3, 0.5), 0.0, "expert")])
    assert (found.question, found.word) == ("Does OR pay, and when not?", word)
    assert f"“web” (0.90; {tables.spell(*web[:3], sign=True)} against VLM)" in found.sentence
    assert "It calls 2.5% of the reals fake (VLM 2.5%, expert 2.5%)." in found.sentence


def test_of_many_benchmarks_the_first_are_named_and_the_rest_counted():
    names = [f"b{place}" for place in range(5)]
    rows = [gain((0.1, 0.05, 0.15), 0.001, benchmark=name) for name in names]
    found = answer(2, pd.concat([levels(benchmark=name) for name in names]), [*UNMIXED, *rows])
    assert "“b2”" in found.sentence and "“b3”" not in found.sentence and "and 2 more" in found.sentence


def test_a_failure_is_near_chance_and_what_is_wide_is_no_failure():
    failed = answer(3, levels(fusion=(CHANCE, GOOD)))
    assert failed.word == "On 1 of 2 subsets" and "near chance on “semantic” 0.50 [0.45, 0.55]" in failed.sentence
    assert "the weakest of the rest is “pixel” 0.90 [0.85, 0.95]" in failed.sentence
    unclear = answer(3, levels(fusion=(WIDE, GOOD)))
    assert unclear.word == "Not shown" and "too few images to tell on “semantic”" in unclear.sentence
    good = answer(3)
    assert good.word == "Nowhere at chance" and "weakest subset of fusion (or)" in good.sentence


def test_the_violation_that_is_found_least_is_named():
    rows = [("light", 0.9, 0.8, 1.0), ("shadow", 0.6, 0.5, 0.7), (tables.REALS, 0.0, 0.0, 0.1)]
    found = pd.DataFrame(rows, columns=["family", "called_fake", "low", "high"]).assign(title="fusion (or)")
    said = answers(levels(), pd.DataFrame(UNMIXED), found)[3].sentence
    assert "of the violations it finds “shadow” least, 0.60 [0.50, 0.70]" in said


def test_without_fusion_the_rest_is_answered():
    alone = levels()
    alone = alone[alone.model != "fusion"]
    words = [each.word for each in answers(alone, pd.DataFrame(UNMIXED))]
    assert words == ["It holds", "It does not hurt", "Cannot be said", "On 1 of 2 subsets"]


@pytest.fixture(scope="module")
def folder(verdicts, tmp_path_factory):
    """What a run of notebook 05 leaves, on two benchmarks."""
    home = tmp_path_factory.mktemp("run")
    again = verdicts[verdicts.subset == "pixel"].assign(benchmark="web", subset="pixel, web")
    both = pd.concat([verdicts, again], ignore_index=True)
    tables.alignment(both, resamples=50).to_parquet(home / "alignment.parquet")
    pairs.differences(both, 50).to_parquet(home / "differences.parquet")
    tables.families(tables.first(both)).to_parquet(home / "families.parquet")
    return home


def test_the_headline_gives_the_answers_then_a_table_for_each_benchmark(folder):
    first, world, web = headline(folder).split("\n\n")
    assert [line.partition("?")[0] for line in first.splitlines()][:2] == [
        "Does alignment hold here",
        "Does mixing hurt",
    ]
    assert "It holds: VLM reaches 0." in first and first.count("\n") == 3
    row = pd.read_parquet(folder / "alignment.parquet").iloc[0]
    assert world.splitlines()[0] == "world" and f"VLM, semantic  {tables.spell(row.value, row.low, row.high)}" in world
    assert web.splitlines()[1].split() == ["pixel,", "web", "mean"]


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(Refused, match="notebook 05"):
        headline(tmp_path / "nothing")
