"""Processes that ask for the same run: one makes it, the others wait."""

import errno
import os
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from aligngemini.core import paths, run_spec, runs, stages
from aligngemini.core.params import Refused
from tests import small

DATA = stages.DATA


def test_a_file_system_that_cannot_lock_is_refused_at_once(little, monkeypatch):
    def unable(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", unable)
    with pytest.raises(Refused, match="01_data_construction lies on a file system that cannot lock.*--outputs"):
        runs.start(DATA, small.data(little))


ASK = """
import os, time
from aligngemini.core import runs
from tests import small
from tests.little_workbook import Little
from pathlib import Path

asking = Path(os.environ["LITTLE_ROOT"]) / "asking"

def make():
    while len(list(asking.iterdir())) < int(os.environ["ASKING"]):
        time.sleep(0.1)
    time.sleep(1)
    with Path(os.environ["LITTLE_LOG"]).open("a") as log:
        log.write(f"{os.getpid()}\\n")
    return "made"

little = Little(Path(os.environ["LITTLE_ROOT"]), {})
asking.mkdir(exist_ok=True)
(asking / str(os.getpid())).touch()
run = runs.start("01_data_construction", small.data(little, seed=int(os.environ["SEED"])))
if not run.complete:
    run.compute("numbers.txt", make)
    run.finish({"images": 1})
print(run.results["images"])
"""


def test_processes_with_one_question_do_the_work_once_and_say_for_whom_they_wait(little):
    asked = [_asking(little, "0", 11) for _ in range(10)]
    while not any(run["run"].get("process") for run in runs.all()):  # until one of them has begun
        assert any(process.poll() is None for process in asked)
        time.sleep(0.1)
    asked.append(_asking(little, "0", 11))
    ended = [process.communicate(timeout=300) for process in asked]
    assert [out.splitlines()[-1:] for out, _ in ended] == [["1"]] * 11, ended
    assert len(little.log()) == 1
    waited = [err for _, err in ended if "another process makes" in err]
    assert f"process {little.log()[0]} on " in waited[-1] and "has been at it for 0:0" in waited[-1]
    assert "process" not in runs.load(DATA, "latest").manifest["run"]


def test_another_question_waits_for_nobody(little):
    held = runs.start(DATA, small.data(little, seed=0))
    out, err = _asking(little, "1").communicate(timeout=300)
    assert out.splitlines()[-1] == "1" and "waiting" not in err and not held.complete


def _asking(little, seed, count=1):
    """A process that asks, and that, if it makes the run, first waits until `count` processes ask."""
    environment = (
        os.environ | little.environment | {"LITTLE_ROOT": str(little.root), "SEED": seed, "ASKING": str(count)}
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    little.started.append(subprocess.Popen([sys.executable, "-c", ASK], env=environment, cwd=paths.ROOT, **pipes))
    return little.started[-1]


def test_running_the_setup_cell_twice_does_not_wait_for_itself(little):
    runs.start(DATA, small.data(little))
    began = time.monotonic()
    assert not runs.start(DATA, small.data(little)).complete
    assert time.monotonic() - began < 30


def test_a_second_process_waits_and_then_finds_the_answer(little):
    cfg = small.data(little)
    asked = run_spec.make(DATA, cfg)
    asked.home.parent.mkdir(parents=True)
    lock = FileLock(asked.lock)
    lock.acquire()
    code = (
        "from aligngemini.images.params import DataParams; from aligngemini.core import runs;"
        "runs.NOTICE_SECONDS = 1;"
        f"print(runs.start('{DATA}', DataParams(scale='tiny', vae={cfg.vae!r})).complete)"
    )
    environment = os.environ | {"PYTHONPATH": little.environment["PYTHONPATH"]}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes)
    notices = (line for line in other.stderr if "another process makes" in line)
    assert asked.home.name in next(notices) and asked.home.name in next(notices)
    assert other.poll() is None
    lock.release()
    out, _ = other.communicate(timeout=300)
    assert out.strip() == "False"
