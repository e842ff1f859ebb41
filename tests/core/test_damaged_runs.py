"""Runs that are damaged, or that cannot be written: named in one sentence, and never passed over."""

import pytest

from aligngemini.core import manifest, runs, stages
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Refused
from tests import small

DATA = stages.DATA


def test_a_full_disk_is_one_sentence_and_the_run_can_go_on(little):
    run = runs.start(DATA, small.data(little))
    run.compute("whole.txt", str, 1)

    def full(path):
        (path / "one").write_text("half")
        raise OSError(28, "No space left on device")

    def full_in_rust(path):
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    for make in (full, full_in_rust):
        with pytest.raises(DiskFull, match="run the same command again"):
            run.compute("images", make)
    run.close()
    assert not list(run.folder.glob(".part-*"))
    again = runs.start(DATA, small.data(little))
    assert again.path("whole.txt").exists()
    assert again.compute("images", lambda path: (path / "one").write_text("1")).exists()


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(little, monkeypatch):
    run = runs.start(DATA, small.data(little))
    before = run.path("manifest.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest.os, "replace", full)
    with pytest.raises(DiskFull):
        run.finish({})
    assert [p.name for p in run.folder.iterdir()] == ["manifest.json"]
    assert run.path("manifest.json").read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"run": {"status": "complete"}}', "\x00\x01"])
def test_a_damaged_manifest_is_reported_not_a_crash(little, text):
    run = small.made(DATA, small.data(little), images=1)
    run.path("manifest.json").write_text(text)
    assert [record["run"]["status"] for record in runs.all()] == ["unreadable"]
    with pytest.raises(Refused, match=f"delete .*{run.name}"):
        runs.start(DATA, small.data(little))
    with pytest.raises(Refused, match="no complete run"):
        runs.load(DATA, "latest")


def test_the_latest_run_is_named_where_its_manifest_cannot_be_read_and_an_older_one_is_taken(little, capsys):
    older = small.made(DATA, small.data(little), images=1)
    newer = small.made(DATA, small.data(little, seed=5), images=1)
    assert runs.load(DATA, "latest").name == newer.name and not capsys.readouterr().err
    newer.path("manifest.json").write_bytes(b"")
    for _ in range(2):
        assert runs.load(DATA, "latest").name == older.name
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("passed over") and newer.name in line and older.name not in line


def test_the_one_run_whose_manifest_cannot_be_read_is_named_where_no_other_fits(little):
    run = small.made(DATA, small.data(little), images=1)
    small.made(DATA, small.data(little, seed=5), images=1)
    run.path("manifest.json").write_bytes(b"")
    with pytest.raises(Refused, match=f"no complete run of .* with seed 0, and .*{run.name} cannot be read: delete"):
        runs.load(DATA, "latest seed:0")


def test_a_damaged_partial_manifest_does_not_stop_the_run(little):
    run = runs.start(DATA, small.data(little))
    run.compute("whole.txt", str, 1)
    run.path("manifest.json").write_text('{"run": {"sta')
    run.close()
    assert runs.start(DATA, small.data(little)).path("whole.txt").exists()


def test_a_complete_run_that_lost_a_file_is_refused(little):
    run = small.made(DATA, small.data(little), images=1)
    run.path("numbers.json").write_text("")
    with pytest.raises(Refused, match="numbers.json has 0 bytes.*--scale tiny --only 01 --force"):
        runs.load(DATA, "latest")
    run.path("numbers.json").unlink()
    with pytest.raises(Refused, match="numbers.json is missing"):
        runs.start(DATA, small.data(little))


def test_a_folder_of_many_files_is_one_line_that_still_notices_a_loss(little):
    run = runs.start(DATA, small.data(little))
    for number in range(manifest.FOLD + 1):
        run.save(f"images/{number}.txt", "1")
    run.finish({})
    assert run.manifest["files"]["images/"]["files"] == manifest.FOLD + 1
    run.path("images", "7.txt").unlink()
    with pytest.raises(Refused, match="images/ holds 50 files instead of 51"):
        runs.load(DATA, "latest")
