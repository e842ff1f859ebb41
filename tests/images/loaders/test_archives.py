"""Archives of pictures: unpacked once, never outside their folder, and honest about what is missing."""

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aligngemini.core import paths
from aligngemini.core.params import Refused
from aligngemini.images.loaders import archives, benchmark_rows, scan_cache, skips
from tests.images.miniatures import counts, reasons


def test_x_aigd_gives_its_fakes_and_its_masks(parquet):
    square = {"label": "low-level-texture", "points": [[1.0, 1.0], [4.9, 1.0], [4.0, 4.0], [1.0, 4.0]]}
    bad = {"label": "high-level-semantics", "points": [[1.0, 1.0], [2.0, 2.0]]}
    root = parquet({"labels": [square]}, {"uid": "001", "labels": [bad]}, {"generator": "sd3", "labels": None})
    parquet({"uid": "777"}, name="labeled_train-00000-of-00001.parquet")
    rows = benchmark_rows.rows(f"X-AIGD:{root}")
    assert counts(rows) == {("FLUX.1-dev", 1): 2, ("sd3", 1): 1}
    assert "only what is unpacked" in reasons(rows)["labeled_train-00000-of-00001.parquet"]
    assert "fewer than three points" in reasons(rows)["001"] and "masks of artifacts" in reasons(rows)["masks"]
    picture = Path(rows.loc[rows["path"].str.endswith("FLUX.1-dev/000.png"), "path"].item())
    outline = picture.parents[1] / archives.MASKS / "FLUX.1-dev" / "000" / "low-level-texture.png"
    mask = np.asarray(Image.open(outline))
    assert mask.shape == (8, 8) and set(np.unique(mask)) == {0, 255}
    assert mask[1:5, 1:5].all() and mask.sum() == 255 * 16


def test_tables_do_not_write_outside_their_folder(parquet, tmp_path):
    root = parquet(
        {"generator": "../../.."}, {"uid": "a/b"}, {"labels": [{"label": "../x", "points": []}]}, {"uid": "ok"}
    )
    rows = benchmark_rows.rows(f"X-AIGD:{root}")
    assert counts(rows) == {("FLUX.1-dev", 1): 1}
    said = Counter(rows.loc[rows["reason"] != "", "reason"])
    assert said == {"its name, or that of a mask, leads out of the table": 3}


def test_tar_shards_are_read_like_the_folders_inside_them(packed):
    packed("train/a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg", "gpt4o/pixel/1_fake/2.json")
    root = packed("train/b.tar.gz", "keling/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg")
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("gpt4o/pixel", 0): 1, ("gpt4o/pixel", 1): 2, ("keling/pixel", 0): 1}
    assert all(path.startswith(str(paths.built())) for path in rows.loc[rows["reason"] == "", "path"])


def test_a_shard_is_unpacked_once_and_again_when_it_changes_or_was_interrupted(packed, monkeypatch):
    root = packed("a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg")
    opened, real = [], tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *args, **given: opened.append(args) or real(*args, **given))
    for _ in range(2):
        assert sum(counts(benchmark_rows.rows(f"AIGI-Now:{root}")).values()) == 2
    assert len(opened) == 1
    (archives.home(root) / "a.tar" / archives.NOTES).unlink()
    (archives.home(root) / ".part-a.tar" / "rest").mkdir(parents=True)
    assert sum(counts(benchmark_rows.rows(f"AIGI-Now:{root}")).values()) == 2 and len(opened) == 2
    monkeypatch.setattr(tarfile, "open", real)
    packed("a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg", "gpt4o/pixel/1_fake/3.jpg")
    assert sum(counts(benchmark_rows.rows(f"AIGI-Now:{root}")).values()) == 3


def test_no_member_of_an_archive_leaves_its_folder(packed, tmp_path):
    link, device = tarfile.TarInfo("g/1_fake/link.png"), tarfile.TarInfo("g/1_fake/pipe.png")
    link.type, link.linkname, device.type = tarfile.SYMTYPE, "/etc", tarfile.FIFOTYPE
    hard = tarfile.TarInfo("g/1_fake/hard.png")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../../../secret.png"
    names = ["../../../../out.png", str(tmp_path / "absolute.png"), "g/1_fake/../../../up.png", "g\\..\\back.png"]
    root = packed("a.tar", link, "g/1_fake/link.png/in.png", device, hard, *names, "g/1_fake/good.png")
    before = {path for path in tmp_path.rglob("*")}
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    said = reasons(rows)
    assert counts(rows) == {("g", 1): 2}
    assert [said[name] for name in ("link.png", "pipe.png", "hard.png")] == ["a link or a device, not a file"] * 3
    outside = ["out.png", "absolute.png", "up.png", "g\\..\\back.png"]
    assert [said[name] for name in outside] == ["its path leads out of the archive"] * 4
    assert {path for path in tmp_path.rglob("*")} == before
    home = archives.home(root)
    assert {path.name for path in paths.built().rglob("*.png") if home not in path.parents}.isdisjoint(outside)


def test_a_member_that_is_there_twice_or_has_an_endless_name_does_not_stop_the_rest(packed):
    root = packed("a.tar", "g/1_fake/a.png", "g/1_fake/a.png", f"g/1_fake/{'x' * 300}.png", "g/0_real/b.png")
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("g", 0): 1, ("g", 1): 1}
    assert sum("cannot be written under its name" in reason for reason in rows["reason"]) == 2


@pytest.mark.parametrize("name,cut", [("a.tar", 700), ("a.tar", 1024), ("a.tar.gz", 60)])
def test_an_archive_that_is_cut_short_says_so(packed, name, cut):
    packed("whole.tar", "g/1_fake/a.png", "g/0_real/b.png")
    root = packed(name, "h/1_fake/c.png", "h/0_real/d.png")
    (root / name).write_bytes((root / name).read_bytes()[:cut])
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    assert counts(rows).items() >= {("g", 0): 1, ("g", 1): 1}.items()
    assert "cut short or damaged" in reasons(rows)[name]


def test_a_tar_with_names_of_any_encoding_is_unpacked(packed):
    root = packed("a.tar", "g/1_fake/na\udcefve.png", "g/1_fake/Ω.png", "g/0_real/._b.png", ".unpacked.json/c.png")
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    said = reasons(rows)
    assert counts(rows) == {("g", 1): 2} and said["._b.png"] == said["c.png"] == skips.HIDDEN
    assert set(scan_cache.added(rows)["format"]) == {"PNG", ""}
    assert counts(benchmark_rows.rows(f"AIGI-Now:{root}")) == {("g", 1): 2}


def test_an_archive_that_is_unpacked_is_read_where_nothing_can_be_written_and_another_one_refused(packed, monkeypatch):
    root = packed("a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg")
    first = counts(benchmark_rows.rows(f"AIGI-Now:{root}"))

    def locked(folder, option):
        raise Refused(f"{folder} cannot be written to: choose another place with {option}")

    monkeypatch.setattr(paths, "writable", locked)
    assert counts(benchmark_rows.rows(f"AIGI-Now:{root}")) == first
    packed("b.tar", "gpt4o/pixel/0_real/3.jpg")
    with pytest.raises(Refused, match="ALIGNGEMINI_BUILT"):
        benchmark_rows.rows(f"AIGI-Now:{root}")
