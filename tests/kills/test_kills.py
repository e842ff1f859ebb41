"""A run that is killed at any of its writes goes on, and ends as one that nobody killed."""

import json
import os
import signal
from pathlib import Path

import pytest

from aligngemini.core import atomic, manifest, runs, stages
from tests import signals, small
from tests.kills import sitecustomize
from tests.little_workbook import closed, little

__all__ = ["closed", "little"]
DATA = stages.DATA


def folder(place: Path) -> None:
    """Fill a folder, as an adapter is saved."""
    (place / "weights.safetensors").write_bytes(b"weights" * 20)
    (place / "facts.json").write_text('{"base": "x"}')


def work(little) -> runs.Run:
    """Make a run of a table, a folder and a text, with checkpoints on the way."""
    run = runs.start(DATA, small.data(little))
    run.compute("table.json", lambda: {"rows": list(range(50))})
    atomic.write(run.checkpoints / "state.pt", b"state" * 20)
    run.compute("adapter", folder)
    run.save("card.md", "A card.\n" * 20)
    run.finish({"images": 1})
    return run


def forked(little, **variables: str) -> int:
    """Do the work in a forked process; return its exit code, negative for a signal."""
    child = os.fork()
    if not child:
        try:
            signals.as_usual()
            os.environ.update(variables)
            sitecustomize.watch(str(little.outputs))
            work(little)
            os._exit(0)
        except BaseException:  # a signal that Python turns into an exception
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Ask git and the machine once: a run does so at each start."""
    here = manifest.environment()
    monkeypatch.setattr(manifest, "environment", lambda: here)


@pytest.fixture
def unbroken(little):
    """Results and digests of files of a run that nobody killed, and its number of writes; the run is gone again."""
    log = little.root / "writes"
    assert forked(little, KILLS_LOG=str(log)) == 0
    record = runs.load(DATA, "latest").manifest
    atomic.remove(little.outputs)
    return record["results"], record["files"], [line.split()[1] for line in log.read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_killed_at_any_write_ends_like_one_that_is_not(little, unbroken, number):
    results, files, writes = unbroken
    assert len(writes) > 20 and {"open", "os.rename", "os.mkdir", "shutil.rmtree"} <= set(writes)
    step = 1 if number == signal.SIGKILL else 4  # the others end a process in the same way
    for at, kind in list(enumerate(writes))[::step]:
        tear = {"KILLS_TEAR": "0.5"} if number == signal.SIGKILL and kind == "os.rename" else {}
        killed = forked(little, KILLS_AT=str(at), KILLS_WHO="kernel", KILLS_SIGNAL=str(int(number)), **tear)
        assert killed != 0, f"write {at}, {kind}"
        run = work(little)
        assert run.complete and (run.results, run.manifest["files"]) == (results, files), f"write {at}, {kind}"
        left = [path.name for path in little.outputs.rglob(".*") if path.suffix != ".lock"]
        assert not left, f"write {at}, {kind}"
        run.close()
        runs._working.clear()
        atomic.remove(little.outputs)


def test_a_run_made_again_by_force_and_killed_leaves_the_old_one_or_the_new_one(little, unbroken, monkeypatch):
    name = work(little).name
    for at in range(len(unbroken[2]) - 6, len(unbroken[2]) + 3):
        runs._working.clear()
        forked(little, KILLS_AT=str(at), KILLS_WHO="kernel", KILLS_SIGNAL="9", ALIGNGEMINI_FORCE=name)
        again = work(little)
        assert again.complete and again.manifest["files"] == unbroken[1]
        with monkeypatch.context() as patch:
            patch.setenv(runs.FORCE, name)
            assert work(little).complete
        left = [path.name for path in little.outputs.rglob(".*") if path.suffix != ".lock"]
        assert not left, f"write {at}"


def test_a_prune_that_is_killed_leaves_no_half_run(little):
    from aligngemini.workflow import prune

    for at in range(8):
        runs._working.clear()
        run = work(little)
        (record,) = runs.all()
        child = os.fork()
        if not child:
            os.environ.update(KILLS_AT=str(at), KILLS_WHO="kernel", KILLS_SIGNAL="9")
            sitecustomize.watch(str(little.outputs))
            prune.delete(record)
            os._exit(0)
        os.waitpid(child, 0)
        assert not run.folder.exists() or json.loads(run.path("manifest.json").read_text())["files"].keys() == {
            path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()
        } - {"manifest.json"}
        work(little)
        prune.delete(runs.all()[0])
        assert not [path for path in (little.outputs / DATA).iterdir() if path.suffix != ".lock"], f"write {at}"
