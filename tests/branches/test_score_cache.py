"""Remembered scores: apart by model and treatment, never lost by a neighbour, never trusted when damaged."""

import numpy as np
import pandas as pd

from aligngemini.branches import score_cache
from aligngemini.branches.score_cache import Scores


def test_scores_are_known_again_by_model_and_treatment(tmp_path):
    store = Scores(tmp_path)
    store.note("m" * 64, "jpeg 96", {"a": 0.25, "b": 0.5})
    store.note("m" * 64, "", {"a": 1.0})
    store.write()
    assert Scores(tmp_path).recall("m" * 64, "jpeg 96").to_dict() == {"a": 0.25, "b": 0.5}
    assert Scores(tmp_path).recall("m" * 64, "").to_dict() == {"a": 1.0}
    assert Scores(tmp_path).recall("m" * 63 + "n", "").empty, "the whole digest counts, not the folder's name"


def test_two_commands_beside_each_other_lose_nothing(tmp_path):
    one, two = Scores(tmp_path), Scores(tmp_path)
    for store, name in ((one, "a"), (two, "b"), (one, "c")):
        store.note("m", "", {name: 0.5})
        store.write()
    assert set(Scores(tmp_path).recall("m", "").index) == {"a", "b", "c"}


def test_a_damaged_file_is_passed_over(tmp_path):
    for name in ("a", "b"):
        store = Scores(tmp_path)
        store.note("m", "", {name: 0.5})
        store.write()
    first = next(tmp_path.rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:40])
    pd.DataFrame({"image_id": ["c"], "score": [7.0], "model": "m", "treatment": ""}).to_parquet(first.with_stem("x"))
    assert len(Scores(tmp_path).recall("m", "")) == 1


def test_a_full_part_is_written_and_leaves_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(score_cache, "ROWS", 2)
    monkeypatch.setattr(score_cache, "PAUSE", -1)
    store = Scores(tmp_path)
    for name in "abcde":
        store.note("m", "", {name: 0.5})
    assert set(Scores(tmp_path).recall("m", "").index) == set("abcde") and len(list(tmp_path.rglob("*.parquet"))) == 3
    assert not list(tmp_path.rglob(".*")), "nothing half written stays"


def test_what_is_remembered_is_used_also_where_nothing_new_can_be_kept(tmp_path, monkeypatch):
    store = Scores(tmp_path)
    store.note("m", "", {"a": 0.5})
    store.write()

    def locked(path, table):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(score_cache.caches, "write", locked)
    store = Scores(tmp_path)
    store.note("m", "", {"b": 0.25})
    store.write()
    store.write()
    assert store.recall("m", "").to_dict() == {"a": 0.5, "b": 0.25}
    assert Scores(tmp_path).recall("m", "").to_dict() == {"a": 0.5}


def test_scores_of_a_file_with_a_flipped_bit_are_the_same_or_none(tmp_path):
    rng, store = np.random.default_rng(0), Scores(tmp_path)
    store.note("m", "", {f"{place:064x}": rng.random() for place in range(50)})
    store.write()
    (path,) = tmp_path.rglob("*.parquet")
    whole, good = path.read_bytes(), store.recall("m", "")
    for place in rng.integers(len(whole), size=250):
        data = bytearray(whole)
        data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        found = Scores(tmp_path).recall("m", "")
        assert found.empty or found.equals(good)
