"""Scans are remembered: a second one opens no file, and a changed file is read again."""

import json
import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from aligngemini.images import decode
from aligngemini.images.loaders import benchmark_rows, scan_cache
from tests.images.miniatures import COUNTS, counts, reasons, text


@pytest.fixture
def reads(monkeypatch):
    """The files that decode.identify has read."""
    seen, identify = [], decode.identify
    monkeypatch.setattr(decode, "identify", lambda path: seen.append(os.path.basename(path)) or identify(path))
    return seen


def test_a_second_scan_opens_no_file(lay, reads):
    root = lay("WildRF")
    first = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
    assert sorted(reads) == ["c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "h.jpg", "i.jpg"]
    reads.clear()
    second = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
    pd.testing.assert_frame_equal(first, second)
    assert not reads


def test_what_has_a_reason_is_not_read(lay, reads):
    """An archive of many gigabytes once went through memory only to be left out."""
    rows = scan_cache.added(benchmark_rows.rows(f"WildRF:{lay('WildRF')}").assign(reason="an archive"))
    assert not reads and set(rows["image_id"]) == {""} and set(rows["width"]) == {0}


@pytest.mark.parametrize("longer,later", [(1, 0), (0, 1)])
def test_a_file_of_another_size_or_time_is_read_again(lay, reads, longer, later):
    root = lay("WildRF")
    first = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}")).set_index("path")["image_id"]
    changed = root / "WildRF/test/reddit/0_real/c.jpg"
    facts = changed.stat()
    changed.write_bytes(changed.read_bytes()[:-1] + b"xx"[: 1 + longer])
    os.utime(changed, ns=(facts.st_atime_ns, facts.st_mtime_ns + later))
    reads.clear()
    second = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}")).set_index("path")["image_id"]
    assert "c.jpg" in reads and "d.jpg" not in reads
    assert first.index[first != second].tolist() == [str(changed)]


def test_reals_that_several_subsets_share_are_read_once(lay, tmp_path, reads):
    scan_cache.added(benchmark_rows.rows(text("Synthbuster", lay("Synthbuster"), tmp_path)))
    assert Counter(reads)["r001d260dt.png"] == 1


def test_a_damaged_memory_is_no_memory(lay, reads):
    root = lay("WildRF")
    scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
    place = scan_cache.where(root)
    assert place.is_file()
    for damage in (b"", b"PAR1 and no more", json.dumps({"path": 1}).encode()):
        place.write_bytes(damage)
        reads.clear()
        rows = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
        assert "c.jpg" in reads and counts(rows) == COUNTS["WildRF"]
    for columns in (["path"], ["path", *scan_cache.STAMP, *decode.NOTHING]):
        pd.DataFrame([["x"] * len(columns)], columns=columns).to_parquet(place)
        assert counts(scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))) == COUNTS["WildRF"]


def test_what_could_not_be_read_is_tried_again(lay, reads):
    root = lay("WildRF")
    (root / "WildRF/test/reddit/0_real/empty.jpg").touch()
    for _ in range(2):
        rows = scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
    assert Counter(reads)["empty.jpg"] == 2 and reasons(rows)["empty.jpg"] == "the file is empty"


def test_a_scan_that_is_killed_goes_on_where_it_last_wrote(lay, monkeypatch, reads):
    root = lay("WildRF")
    rows = benchmark_rows.rows(f"WildRF:{root}")
    monkeypatch.setattr(scan_cache, "CHUNK", 3)
    real, left = scan_cache._store, iter([1])
    monkeypatch.setattr(scan_cache, "_store", lambda *args: real(*args) if next(left, 0) else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scan_cache.added(rows)
    monkeypatch.setattr(scan_cache, "_store", real)
    reads.clear()
    scan_cache.added(rows)
    assert len(reads) == len(set(rows["path"][rows["reason"] == ""])) - 3


def test_a_place_where_nothing_can_be_written_costs_only_the_memory(lay, monkeypatch, tmp_path, capsys):
    root = lay("WildRF")
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "file"))
    assert counts(scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))) == COUNTS["WildRF"]
    assert capsys.readouterr().err.count("scans cannot be written to (Not a directory)") == 1


def test_a_memory_with_a_flipped_bit_changes_no_fact(lay):
    root, rng = lay("WildRF"), np.random.default_rng(0)
    scan_cache.added(benchmark_rows.rows(f"WildRF:{root}"))
    place = scan_cache.where(root)
    whole, good = place.read_bytes(), scan_cache._cached(place, list(decode.NOTHING))
    assert len(good)
    for where in rng.integers(len(whole), size=250):
        data = bytearray(whole)
        data[where] ^= 1 << rng.integers(8)
        place.write_bytes(data)
        found = scan_cache._cached(place, list(decode.NOTHING))
        assert found.empty or found.equals(good)
