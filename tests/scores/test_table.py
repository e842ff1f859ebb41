"""The score table refuses what is not one probability, or one reason, per image."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.core import values
from aligngemini.core.params import Refused
from aligngemini.scores import table


def good(**changes) -> pd.DataFrame:
    base = {
        "image_id": ["a", "b", "c"],
        "branch": "vlm",
        "supervision": "mixed",
        "score": [0.0, 1.0, np.nan],
        "reason": ["", "", "cannot be decoded"],
    }
    return pd.DataFrame(base | changes)


def test_round_trip_keeps_every_row_and_the_label(tmp_path):
    frame = table.make(["a", "b"], [0.25, np.nan], "expert", "pixel", ["", "too small"]).assign(label=[0, 1])
    frame.to_parquet(tmp_path / "scores.parquet")
    back = table.load(tmp_path / "scores.parquet")
    assert back.image_id.tolist() == ["a", "b"] and back.label.tolist() == [0, 1]
    assert back.score.dtype == np.float64 and back.score.isna().tolist() == [False, True]
    assert back.reason.tolist() == ["", "too small"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score": [0.1, 1.2, np.nan]}, "outside"),
        ({"score": [0.1, -0.1, np.nan]}, "outside"),
        ({"score": [0.1, np.inf, np.nan]}, "outside"),
        ({"reason": ["", "", ""]}, "reason"),
        ({"reason": ["", "odd", "cannot be decoded"]}, "exactly one"),
        ({"image_id": ["a", "a", "c"]}, "two scores"),
        ({"branch": ""}, "names the branch"),
        ({"branch": ["vlm", "expert", "vlm"]}, "one branch"),
        ({"supervision": ["mixed", "mixed", "pixel"]}, "one supervision"),
    ],
)
def test_refuses(changes, words):
    table.check(good())
    with pytest.raises(Refused, match=words):
        table.check(good(**changes))


def test_any_name_is_a_branch():
    assert set(table.check(good(branch="my_detector")).branch) == {"my_detector"}


def test_refuses_absent_columns_and_files(tmp_path):
    with pytest.raises(Refused, match="reason"):
        table.check(good().drop(columns="reason"))
    with pytest.raises(Refused, match="no score table"):
        table.load(tmp_path / "scores.parquet")


def test_picture_paths_move_with_the_outputs(tmp_path):
    run, picture = tmp_path / "out" / "04" / "run", tmp_path / "out" / "01" / "a.png"
    for folder in (run, picture.parent):
        folder.mkdir(parents=True)
    picture.write_bytes(b"x")
    values.write(run / "fused.parquet", pd.DataFrame({"path": [str(picture), ""]}))
    (tmp_path / "out").rename(tmp_path / "moved")
    back = values.read(tmp_path / "moved" / "04" / "run" / "fused.parquet")
    assert back.path.tolist() == [str(tmp_path / "moved" / "01" / "a.png"), ""]
    with pytest.raises(Refused, match="no table"):
        values.read(run / "fused.parquet")


def test_a_table_without_a_row_joins_like_any_other():
    empty = table.make([], [], "vlm", "semantic")
    images = pd.DataFrame({"image_id": ["a"], "label": [1]})
    assert len(images.merge(empty, on="image_id", how="left")) == 1
    assert table.attach(images, empty, 0.5)["reason"].tolist() == ["not in the score table"]
    assert [len(each) for each in table.labelled(empty, images)] == [0, 0]
