"""The image table: what it must hold, what it refuses, and that it can move."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.images import decode, table


def rows(*changes: dict) -> pd.DataFrame:
    base = {
        "path": "/p/a.png",
        "label": 0,
        "axis": "none",
        "split": "train",
        "format": "PNG",
        "width": 4,
        "height": 4,
    }
    return table.frame([base | {"image_id": f"{i:064x}"} | change for i, change in enumerate(changes)])


def test_frame_fills_what_is_left_out():
    frame = rows({}, {"jpeg_quality": 90})
    assert list(frame.columns) == list(table.COLUMNS)
    assert frame["remark"].tolist() == ["", ""] and frame["jpeg_quality"].isna().tolist() == [True, False]
    assert frame["label"].dtype == "int64" and table.frame([]).empty


def test_written_tables_come_back_the_same_and_may_move(tmp_path):
    run = tmp_path / "run"
    (run / "images").mkdir(parents=True)
    frame = rows({"path": str(run / "images" / "a.png")}, {"path": "/elsewhere/b.jpg"})
    values.write(run / "semantic.parquet", frame)
    pd.testing.assert_frame_equal(table.load(run / "semantic.parquet"), frame)
    run.rename(tmp_path / "moved")
    paths = table.load(tmp_path / "moved" / "semantic.parquet")["path"].tolist()
    assert paths == [str(tmp_path / "moved" / "images" / "a.png"), "/elsewhere/b.jpg"]


@pytest.mark.parametrize("missing", [None, np.nan, ""])
def test_a_row_without_a_path_is_a_row_whose_image_cannot_be_read(missing, tmp_path):
    paths = ["/p/a.png", missing]
    pd.DataFrame({"path": paths}, dtype=object).to_parquet(tmp_path / "of_a_user.parquet")
    values.write(tmp_path / "of_a_run.parquet", pd.DataFrame({"path": paths}, dtype=object))
    for name in ("of_a_user", "of_a_run"):
        assert values.read(tmp_path / f"{name}.parquet")["path"].tolist() == ["/p/a.png", ""]
    assert decode.identify("")["reason"] == "its row names no file"


@pytest.mark.parametrize(
    "changes,words",
    [
        ([{"label": 2}], "label '2'"),
        ([{"axis": "pixels"}], "axis 'pixels'"),
        ([{"split": ""}], "split ''"),
        ([{"axis": "semantic"}], "axis none"),
        ([{"label": 1}], "axis none"),
        ([{"image_id": ""}], "no image_id"),
        ([{"image_id": "a" * 64}, {"image_id": "a" * 64}], "more than one row .*aaaaaaaaaaaa"),
        (
            [{"image_id": "a" * 64}, {"image_id": "a" * 64, "split": "test", "subset": "x"}],
            "more than one split",
        ),
    ],
)
def test_broken_rules_are_refused_with_examples(changes, words):
    with pytest.raises(Refused, match=words):
        table.check(rows(*changes))


def test_one_image_may_stand_in_several_subsets():
    shared = {"image_id": "a" * 64, "split": "test"}
    table.check(rows(shared | {"subset": "one"}, shared | {"subset": "two"}))


def test_missing_columns_and_files_are_refused(tmp_path):
    with pytest.raises(Refused, match="run notebook 01"):
        table.load(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_text("no table")
    with pytest.raises(Refused, match="not a readable table"):
        table.load(tmp_path / "bad.parquet")
    rows({}).drop(columns="remark").to_parquet(tmp_path / "old.parquet")
    with pytest.raises(Refused, match="lacks the columns remark"):
        table.load(tmp_path / "old.parquet")


def test_content_overlap_looks_across_tables():
    a = {"image_id": "a" * 64, "pair_id": "p"}
    train, same = rows(a), rows(a, {"pair_id": "q"})
    assert table.content_overlap({"semantic": train, "mixed": same}).empty
    overlap = table.content_overlap({"pixel": train, "test": rows(a | {"split": "test"})})
    assert overlap["what"].tolist() == ["image_id", "pair_id"] and overlap["splits"].tolist() == ["test, train"] * 2
    other_bytes = rows({"image_id": "b" * 64, "pair_id": "p", "split": "test"})
    assert table.content_overlap({"pixel": train, "test": other_bytes})["name"].tolist() == ["p"]


def test_pairs_put_both_members_side_by_side():
    real, fake = {"pair_id": "p", "path": "/r"}, {"pair_id": "p", "path": "/f", "label": 1, "axis": "pixel"}
    side_by_side = table.pairs(rows(real, fake, {"pair_id": "lone"}))
    assert side_by_side[["pair_id", "real", "fake"]].values.tolist() == [["p", "/r", "/f"]]


def test_a_sample_is_the_start_of_a_fixed_order():
    rows = pd.DataFrame({"image_id": [f"{i:064x}" for i in range(60)], "label": [0, 1] * 30, "subset": "a"})
    few, more = table.sample_each(rows, 3, "x"), table.sample_each(rows, 8, "x")
    assert few.groupby("label").size().tolist() == [3, 3] and set(few.image_id) < set(more.image_id)
    both = pd.concat([rows.sample(frac=1, random_state=1), rows.assign(subset="b")], ignore_index=True)
    again = table.sample_each(both, 3, "x")
    assert set(again[again.subset == "a"].image_id) == set(few.image_id) == set(again[again.subset == "b"].image_id)
