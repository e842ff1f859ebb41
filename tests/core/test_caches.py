"""Remembered tables: what was written comes back, or nothing does."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.core import caches

TABLE = pd.DataFrame(
    {
        "name": [f"{place:064x}" for place in range(40)],
        "text": ["", "é", None, "JPEG"] * 10,
        "score": np.random.default_rng(0).random(40),
        "quality": [np.nan, 96.0] * 20,
        "size": range(40),
        "whole": [True, False] * 20,
        "count": pd.Series([1, None] * 20, dtype=object),
    }
)


def test_a_table_comes_back_as_it_was_written_and_again(tmp_path):
    caches.write(tmp_path / "a.parquet", TABLE)
    once = caches.read(tmp_path / "a.parquet")
    caches.write(tmp_path / "b.parquet", once)
    for table in (once, caches.read(tmp_path / "b.parquet")):
        pd.testing.assert_frame_equal(table, TABLE.astype({"count": "float64"}), check_dtype=False)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet"]


def test_empty_tables_come_back(tmp_path):
    caches.write(tmp_path / "a.parquet", TABLE[:0])
    assert list(caches.read(tmp_path / "a.parquet")) == list(TABLE)


def test_any_flipped_bit_gives_the_same_table_or_none(tmp_path):
    path, rng = tmp_path / "a.parquet", np.random.default_rng(1)
    caches.write(path, TABLE)
    whole, good = path.read_bytes(), caches.read(path)
    places = rng.integers(len(whole), size=400)
    lost = 0
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        found = caches.read(path)
        assert found is None or found.equals(good), f"byte {place} of {len(whole)}"
        lost += found is None
    assert lost > 200


@pytest.mark.parametrize("size", [0, 3, 100, -9])
def test_a_table_that_is_cut_off_is_none(tmp_path, size):
    path = tmp_path / "a.parquet"
    caches.write(path, TABLE)
    path.write_bytes(path.read_bytes()[:size])
    assert caches.read(path) is None and caches.read(tmp_path / "none.parquet") is None


def test_a_table_without_a_digest_is_none(tmp_path):
    TABLE.to_parquet(tmp_path / "a.parquet", index=False)
    assert caches.read(tmp_path / "a.parquet") is None
