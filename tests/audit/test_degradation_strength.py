"""How much of the chain it takes to hide a reconstruction from a probe."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.audit import data_run
from aligngemini.images import jpeg
from tests.audit.conftest import write_pairs

HARD = {"scale": [0.15, 0.2], "noise": [20.0, 30.0], "blur": [1.0, 2.0], "jpeg": [10.0, 20.0]}


@pytest.fixture
def worn_pairs(tmp_path, picture):
    """Sixty pictures, each beside itself with its grain smoothed away."""
    reals = [picture(48, 48, seed=number) for number in range(60)]
    smooth = [((rgb.astype(np.uint16) + np.roll(rgb, 1, 1)) // 2).astype(np.uint8) for rgb in reals]
    return write_pairs(tmp_path, zip(map(jpeg.png, reals), map(jpeg.png, smooth), strict=True))


def test_the_nearer_to_the_chain_as_asked_the_less_a_probe_tells(worn_pairs):
    seen = data_run.strength(worn_pairs, HARD, seed=0).set_index("share")
    assert list(seen.index) == list(data_run.SHARES)
    assert seen.loc[0.0, ["scale", "noise", "blur", "jpeg"]].tolist() == [1, 0, 0, 100]
    assert seen.loc[1.0, ["scale", "noise", "blur", "jpeg"]].tolist() == pytest.approx([0.175, 25, 1.5, 15])
    assert seen["auroc"].iloc[0] > 0.95 and seen["auroc"].iloc[-1] < 0.7


def test_the_number_of_workers_changes_no_figure(worn_pairs, monkeypatch):
    monkeypatch.setattr(data_run, "SHARES", (0.0, 1.0))
    one, two = (data_run.strength(worn_pairs, HARD, seed=0, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("pairs", [0, 3])
def test_too_few_pairs_tell_nothing(worn_pairs, pairs):
    assert data_run.strength(worn_pairs.head(2 * pairs), HARD, seed=0)["auroc"].isna().all()


def test_a_picture_that_the_probe_fails_on_is_told_and_leaves_the_others(worn_pairs, capsys, monkeypatch):
    monkeypatch.setattr(data_run, "SHARES", (0.0, 1.0))
    whole = data_run.strength(worn_pairs.iloc[2:], HARD, seed=0)
    with open(worn_pairs["path"].iloc[0], "wb") as file:
        file.write(b"no picture")
    some = worn_pairs.drop(1)  # its partner
    pd.testing.assert_frame_equal(data_run.strength(some, HARD, seed=0), whole)
    assert f"{worn_pairs['path'].iloc[0]}, not an image of a known format" in capsys.readouterr().err
