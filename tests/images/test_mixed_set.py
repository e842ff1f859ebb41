"""The mixed sets and the union: half of each pure set, all of both."""

import pandas as pd
import pytest

from aligngemini.core import seeds
from aligngemini.images import mixed_set, semantic_set, sets, table


def test_mixed_set_is_half_of_each_and_as_large(world_run):
    tables = world_run[2]
    mixed = tables["mixed_semantic"]
    assert len(mixed) == len(tables["semantic"]) and mixed["subset"].value_counts().to_dict() == {
        "semantic": 12,
        "pixel": 12,
    }
    pure = set(tables["semantic"]["image_id"]) | set(tables["pixel"]["image_id"])
    assert set(mixed["image_id"]) <= pure
    assert (mixed.groupby("pair_id").size() == 2).all() and mixed.groupby(["split", "label"]).size().nunique() == 2


def old_half(rows: pd.DataFrame, up: int) -> set[str]:
    """Half of the pairs of each split in hash order, as mixed sets of equal pure sets have always been drawn."""
    kept = []
    for _, same in rows.groupby("split"):
        ranked = seeds.ranked(same["pair_id"], "mixed")
        kept += ranked[: (len(ranked) + up) // 2]
    return set(rows["image_id"][rows["pair_id"].isin(kept)])


def test_equal_pure_sets_give_all_models_the_mixed_set_they_have_always_had(world_run):
    tables = world_run[2]
    expected = old_half(tables["semantic"], 1) | old_half(tables["pixel"], 0)
    assert set(tables["mixed_semantic"]["image_id"]) == expected
    pd.testing.assert_frame_equal(tables["mixed_semantic"], tables["mixed_pixel"])


def pure(task: str, pairs: int, lone: bool) -> pd.DataFrame:
    rows = [
        {
            "pair_id": f"{task}{split}{i}{label * lone}",
            "label": label,
            "split": split,
            "image_id": f"{task}{split}{i}{label}",
        }
        for split, count in (("train", pairs), ("validation", 3))
        for i in range(count)
        for label in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("lone", [False, True])
@pytest.mark.parametrize(("semantic", "pixel"), [(5, 5), (50, 118), (10, 118), (118, 50), (7, 1)])
def test_a_mixed_set_has_as_many_couples_as_the_pure_set_of_its_model(semantic, pixel, lone):
    kinds = pure("s", semantic, lone), pure("p", pixel, False)
    for name, own, other in (("semantic", 0, 1), ("pixel", 1, 0)):
        halves = mixed_set.halves(*kinds, name)
        drawn = [mixed_set.sample(rows, wanted) for rows, wanted in zip(kinds, halves, strict=True)]
        assert (
            pd.concat(drawn).groupby(["split", "label"]).size().eq(kinds[own].groupby(["split", "label"]).size()).all()
        )
        train = [int((rows["split"] == "train").sum()) for rows in drawn]
        most = (kinds[other]["split"] == "train").sum()
        assert train[other] == most or abs(train[0] - train[1]) <= 2, "half of each, or all that there is"
        assert not pd.concat(drawn)["image_id"].duplicated().any()


def test_a_kind_without_a_couple_in_a_split_leaves_that_split_to_the_other():
    semantic, pixel = pure("s", 4, True), pure("p", 4, False)
    pixel = pixel[pixel["split"] == "train"]
    halves = mixed_set.halves(semantic, pixel, "semantic")
    assert halves == [{"train": 2, "validation": 3}, {"train": 2, "validation": 0}]
    assert mixed_set.halves(semantic, pixel, "pixel") == [{"train": 2}, {"train": 2}]
    assert len(mixed_set.sample(semantic, {"train": 2})) == 4, "nothing of a split of which nothing is wanted"


def test_a_class_that_failed_altogether_in_a_split_takes_the_other_class_with_it():
    rows = pure("s", 4, True)
    rows = rows[(rows["split"] == "train") | (rows["label"] == 0)]
    left = semantic_set.balanced(rows).groupby(["split", "label"]).size()
    assert left.to_dict() == {("train", 0): 4, ("train", 1): 4}
    assert semantic_set.balanced(rows[rows["label"] == 0]).empty


def test_a_model_trains_on_its_own_mixed_set(new_run, small, smoother):
    from aligngemini.expert import batches

    run, cfg = new_run(), small(pixel_pairs=11)
    tables = sets.build(run, cfg)
    vlm, expert = (table.training(run, "mixed", own) for own in ("semantic", "pixel"))
    train = {name: rows[rows["split"] == "train"] for name, rows in (tables | {"vlm": vlm, "expert": expert}).items()}
    assert len(train["vlm"]) == len(train["semantic"]) and len(train["expert"]) == len(train["pixel"])
    assert len(batches.match_real_fake(train["expert"], 0)) == len(batches.match_real_fake(train["pixel"], 0)) == 11
    assert table.counted(train["expert"]) == {"pictures_semantic": 12, "pictures_pixel": 10}
    assert table.training(run, "pixel", "semantic").equals(tables["pixel"])


def test_the_union_holds_all_pairs_of_both_pure_sets(world_run):
    tables = world_run[2]
    union = tables["union"]
    pure = [*tables["semantic"]["image_id"], *tables["pixel"]["image_id"]]
    assert sorted(union["image_id"]) == sorted(pure) and len(union) == 2 * len(tables["mixed_semantic"])
    assert set(tables["mixed_semantic"]["image_id"]) <= set(union["image_id"])
