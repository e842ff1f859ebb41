"""Places: where they are, and that one that cannot be written to is refused before anything is done there."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from aligngemini import cli
from aligngemini.core import caches, paths
from aligngemini.core.params import Refused

POWERLESS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", "--"]  # root without its privilege


@pytest.fixture
def file(tmp_path):
    """A regular file: nothing can be made below it, not even by root."""
    (tmp_path / "file").write_text("kept")
    return tmp_path / "file"


def test_a_folder_that_can_be_made_is_writable_and_is_not_made(tmp_path):
    before = tmp_path.stat().st_mtime_ns
    assert paths.writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert not list(tmp_path.iterdir()) and tmp_path.stat().st_mtime_ns == before


@pytest.mark.parametrize("place", ["file", "file/below", "link", "link/below", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused_with_the_way_out(file, tmp_path, place):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(Refused, match="cannot be written to .*: choose another place with --out") as refusal:
        paths.writable(tmp_path / place, "--out")
    assert str(tmp_path / place) in str(refusal.value) and len(list(tmp_path.iterdir())) == 2


def test_a_file_that_will_be_written_again_must_be_a_file(tmp_path):
    (tmp_path / "table.csv").mkdir()
    assert paths.writable(tmp_path, "--out", "other.*") == tmp_path
    with pytest.raises(Refused, match="table.csv cannot be written to .Is a directory"):
        paths.writable(tmp_path, "--out", "table.*")


def test_a_file_keeps_its_content_and_a_new_one_is_not_left_behind(file, tmp_path):
    assert paths.writable_file(file, "--csv") == file and file.read_text() == "kept"
    assert paths.writable_file(tmp_path / "new.csv", "--csv") == tmp_path / "new.csv"
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize(
    ("place", "why"), [("no/such/v.csv", "there is no folder"), ("file/v.csv", "Not a directory"), (".", "directory")]
)
def test_a_file_without_its_folder_is_refused(file, tmp_path, place, why):
    with pytest.raises(Refused, match=f"{why}.*: choose another place with --csv"):
        paths.writable_file(tmp_path / place, "--csv")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_pipe_is_not_opened_before_there_is_something_to_say(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert stat.S_ISFIFO(paths.writable_file(tmp_path / "pipe", "--csv").stat().st_mode)


@pytest.mark.parametrize(
    "words",
    [
        ["detect", "file", "--csv", "file/v.csv"],
        ["detect", "file", "--csv", "no/such/folder/v.csv"],
        ["detect", "file", "--csv", "."],
        ["bench", "--benchmark", "set", "--out", "file/b"],
        ["bench", "--benchmark", "set", "--outputs", "file"],
        ["audit", "set", "--out", "file/a"],
        ["audit", "set", "--out", "file"],
        ["run", "--scale", "smoke", "--outputs", "file"],
        ["sweep", "alignment", "--scale", "smoke", "--seeds", "0", "--outputs", "file/o"],
        ["rehearse", "--scale", "mini", "--outputs", "file/o"],
        ["mini", "pretrain", "--only", "kl", "--steps", "1", "--out", "{}/file/m"],
        ["data", "fetch", "coco", "vlm", "--root", "file/r"],
    ],
    ids=" ".join,
)
def test_every_command_refuses_a_place_that_cannot_be_written_to(words, file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    assert cli.main([word.format(tmp_path) for word in words]) == cli.REFUSED
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "cannot be written to" in said[0] and "choose another place with --" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "kept"


@pytest.mark.parametrize(
    "words",
    [
        ["detect", ".", "--csv"],
        ["detect", ".", "--to"],
        ["audit", "x", "--out"],
        ["bench", "--benchmark", "x", "--out"],
    ],
    ids=" ".join,
)
def test_an_empty_place_is_refused_and_stands_for_no_other(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*words, ""]) == cli.REFUSED
    assert f"{words[-1]} is empty: give a f" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--scale", "smoke", "--outputs", "memory://runs"],
        ["runs", "--outputs", "s3://bucket/runs"],
        ["detect", "set", "--to", "gs://bucket/x"],
        ["detect", "set", "--csv", "https://host/x.csv"],
        ["bench", "--benchmark", "set", "--out", "s3://bucket/x"],
    ],
    ids=" ".join,
)
def test_an_address_is_no_place_for_runs_and_tables_and_no_folder_is_made_of_it(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    (tmp_path / "set").mkdir()
    assert cli.main(words) == cli.REFUSED
    assert f"{words[-2]} takes a folder, and '{words[-1]}' is an address: work in" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("words", [["audit", "set", "--out", "locked/a"], ["detect", "set", "--csv", "locked/v.csv"],
                                   ["detect", "set", "--csv", "mine.csv"], ["runs", "--outputs", "closed"],
                                   ["runs", "--outputs", "closed/x"]], ids=" ".join)  # fmt: skip
def test_rights_are_obeyed_in_the_first_second(words, tmp_path):
    lower = [] if os.geteuid() else POWERLESS
    if lower and (not shutil.which("setpriv") or subprocess.run([*lower, "true"], capture_output=True).returncode):
        pytest.skip("root could write anywhere, and there is no setpriv to stop it")
    (tmp_path / "set").mkdir()
    (tmp_path / "locked").mkdir(mode=0o555)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "mine.csv").touch(mode=0o444)
    command = [*lower, sys.executable, "-m", "aligngemini.cli", *words]
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == cli.REFUSED and "cannot be written to (Permission denied)" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_cache_that_cannot_be_kept_is_told_of_once(file, capsys):
    for _ in range(2):
        with caches.optional(file / "scans"):
            (file / "scans").mkdir(parents=True)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "scans cannot be written to (Not a directory)" in said
