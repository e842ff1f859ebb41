"""Kernels that are forked are what kernels of a new Python are."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import nbformat
import psutil
import pytest
from papermill.exceptions import PapermillExecutionError

from aligngemini.core.params import Refused
from aligngemini.workflow import execute, executors, forks, kernel, share

pytestmark = pytest.mark.skipif(not forks.possible(), reason="kernels are not forked here")

LOOK = """
import json, multiprocessing, os, sys
known = [name for name in sys.modules if name.startswith("aligngemini")]
import logging, torch, transformers, trl
logging.getLogger("transformers").warning("said by a library")
paths = sorted(set(sys.path) - {""})
seen = {"known": known, "folder": os.getcwd(), "paths": paths, "threads": torch.get_num_threads()}
seen |= {"start": multiprocessing.get_start_method(), "main": __name__, "leads": os.getsid(0) == os.getpid()}
seen |= {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "LITTLE", "HOME", "PYTHONPATH")}
import plotly.io, tqdm.auto, transformers.trainer
shown = [transformers.trainer.DEFAULT_PROGRESS_CALLBACK, *tqdm.auto.tqdm.__mro__]
seen["shown"] = [each.__module__ for each in shown] + [plotly.io.renderers.default]
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def server():
    """The process that kernels are forked from."""
    made = forks.Server()
    yield made
    made.end()


@pytest.fixture
def executed(tmp_path):
    """Run cells in a kernel; return the outputs of each."""

    def run(server, *cells, **variables):
        given, done = tmp_path / "given.ipynb", tmp_path / "done.ipynb"
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=metadata), given
        )
        kernel.execute(given, done, {}, {"OMP_NUM_THREADS": "1", **variables}, server)
        return ["".join(each.get("text", "") for each in cell.outputs) for cell in nbformat.read(done, 4).cells]

    return run


@pytest.fixture
def quick(little, monkeypatch):
    """Start a process to fork kernels from that imports little; `texts` are the modules that it finds."""
    made = []

    def start(**texts):
        absent = dict.fromkeys(
            ["plotly", "sklearn", "timm", "peft", "diffusers", "datasets", "trl"], "raise ImportError"
        )
        for name, text in (absent | texts).items():
            (little.root / "modules" / f"{name}.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", little.environment["PYTHONPATH"])
        made.append(forks.Server())
        return made[-1]

    yield start
    for server in made:
        server.end()


def test_a_forked_kernel_has_all_that_one_of_a_new_python_has(server, executed):
    """Its variables, folder, paths, threads, way of starting processes, and no code of the package by then."""
    started, forked = (executed(each, LOOK, LITTLE="yes") for each in (None, server))
    assert "said by a library" in started[0] and "said by a library" in forked[0], (
        "in the notebook, not on the terminal"
    )
    plain, ours = (json.loads(each[0][each[0].index("{") :].splitlines()[0]) for each in (started, forked))
    assert ours == plain and ours["known"] == [] and ours["LITTLE"] == "yes" and ours["threads"] == 1


TRAIN = """
import torch
from transformers import Trainer, TrainingArguments
class Line(torch.nn.Linear):
    def forward(self, x):
        return {"loss": super().forward(x).sum()}
options = {"output_dir": OUTPUT, "max_steps": 2, "logging_steps": 1, "report_to": "none", "use_cpu": True}
_ = Trainer(Line(1, 1), TrainingArguments(**options), train_dataset=[{"x": torch.ones(1)}] * 4).train()
"""


def test_a_trainer_of_transformers_draws_its_table_in_a_forked_kernel(server, executed, tmp_path):
    """It is what a user's own cell shows; transformers chooses a bar of text where it is imported by no notebook."""
    executed(server, TRAIN.replace("OUTPUT", repr(str(tmp_path / "trained"))))
    (cell,) = nbformat.read(tmp_path / "done.ipynb", 4).cells
    shown = [output.data["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]
    assert len(shown) == 1 and "Training Loss" in shown[0] and "<progress" in shown[0]


def test_each_forked_kernel_has_its_own_number_of_threads(server, executed):
    cell = "import torch, threadpoolctl\nprint({each['num_threads'] for each in threadpoolctl.threadpool_info()})"
    assert executed(server, cell, OMP_NUM_THREADS="2") == ["{2}\n"] and executed(server, cell) == ["{1}\n"]


def test_forked_kernels_draw_numbers_of_their_own(server, executed):
    cell = "import random, uuid\nimport numpy as np\nprint(random.random(), uuid.uuid4(), np.random.rand())"
    (one,), (other,) = executed(server, cell), executed(server, cell)
    assert not set(one.split()) & set(other.split())


@pytest.mark.parametrize("count", ["2,1", ""])
def test_a_forked_kernel_takes_what_the_libraries_take_as_a_number_of_threads(executed, quick, monkeypatch, count):
    monkeypatch.setenv("OMP_NUM_THREADS", count)
    assert executed(quick(), "print(1)", OMP_NUM_THREADS=count) == ["1\n"]


def test_a_library_may_speak_fail_and_set_variables_when_it_is_imported(executed, quick, capfd):
    """It says nothing on the terminal, fails in no notebook that does without it, and what it has set stays."""
    server = quick(
        timm="print('a word')",
        datasets="import os, sys\nos.environ['SET'] = 'yes'\nos.write(2, b'a word')\nprint('a word', file=sys.stderr)",
        diffusers="raise RuntimeError('too old')",
    )
    assert executed(server, "import os\nprint(os.environ['SET'])") == ["yes\n"]
    with pytest.raises(PapermillExecutionError, match="too old"):
        executed(server, "import diffusers")
    assert not {"a word", "too old"} & set("".join(capfd.readouterr()).splitlines())


def test_nothing_is_said_of_threads_where_python_warns_of_a_fork(executed, quick, capfd):
    """Python 3.12 does; here a library does."""
    warn = "def fork(begin=os.fork):\n    warnings.warn('has threads', DeprecationWarning, 2)\n    return begin()\n"
    server = quick(timm=f"import os, warnings\n{warn}os.fork = fork")
    (said,) = executed(server, "import warnings\nwarnings.warn('heard', DeprecationWarning)")
    assert "DeprecationWarning: heard" in said, "cells are still warned"
    assert "has threads" not in "".join(capfd.readouterr())


def test_a_kernel_is_started_where_none_can_be_forked(executed, quick, monkeypatch):
    server, cell = quick(), "import os\nprint(os.getppid())"
    assert executed(server, cell) == [f"{server.process.pid}\n"]
    with monkeypatch.context() as patch:
        patch.setattr(server, "ask", Mock(return_value=None))  # no process id
        assert executed(server, cell) == [f"{os.getpid()}\n"]
    server.process.kill()
    assert executed(server, cell) == [f"{os.getpid()}\n"], "the process has ended"


def test_a_kernel_whose_server_is_killed_is_told_as_one_that_is_killed(executed, quick):
    """As the system does for want of memory: it takes the largest process."""
    with pytest.raises(kernel.Died, match=r"ended by signal 9 .* short of memory"):
        executed(quick(), "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")


def test_no_kernel_is_forked_where_a_driver_of_gpus_is(monkeypatch, tmp_path):
    monkeypatch.setattr(share, "gpus", list)
    monkeypatch.setattr(forks, "GPUS", [str(tmp_path)])
    assert not forks.possible()


def test_forks_are_prepared_for_several_notebooks_alone_and_end_with_the_command(little, monkeypatch):
    """Also with one that is refused before it starts a notebook."""
    made = []
    monkeypatch.setattr(forks, "possible", lambda: True)
    monkeypatch.setattr(kernel, "server", lambda begin=kernel.server: made.append(begin()) or made[-1])
    monkeypatch.setattr(executors.Local, "execute", Mock(side_effect=RuntimeError("not here")))
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 1 and made == []
    assert little.run("run", "--scale", "tiny")[0] == 1 and len(made) == 1
    monkeypatch.setattr(execute.checks, "quick", Mock(side_effect=Refused("no such folder")))
    assert little.run("run", "--scale", "tiny")[0] == 2 and len(made) == 2
    assert all(each.process.poll() is not None for each in made)


def test_no_forks_are_prepared_here_for_notebooks_that_run_on_a_cluster(monkeypatch):
    monkeypatch.setattr(forks, "possible", lambda: True)
    monkeypatch.setattr(kernel, "server", Mock(side_effect=AssertionError("prepared")))
    executors.Ray(Mock(jobs=2)).prepare(7)


ENDING = """
import atexit, tempfile, threading, time
from pathlib import Path
left, told = tempfile.TemporaryDirectory(), Path("told.txt")
def slowly():
    time.sleep(0.5)
    told.write_text("the thread. ")
def last():
    told.write_text(f"{told.read_text()}The end.")
atexit.register(last)
threading.Thread(target=slowly).start()
print(left.name)
"""


@pytest.mark.parametrize("forked", [True, False])
def test_what_a_notebook_asked_to_be_done_at_the_end_is_done(server, executed, tmp_path, monkeypatch, forked):
    """Threads are waited for, functions are called, temporary folders are deleted."""
    monkeypatch.chdir(tmp_path)
    (said,) = executed(server if forked else None, ENDING)
    assert Path("told.txt").read_text() == "the thread. The end." and not Path(said.strip()).exists()


def test_a_kernel_that_had_worker_processes_ends_by_itself(server, executed, tmp_path, monkeypatch):
    """One that is shut down waits for its children, and jupyter_client kills it after some seconds."""
    monkeypatch.chdir(tmp_path)
    work = "import atexit, os\nfrom pathlib import Path\nfrom aligngemini.core import processes\n"
    work += "print(len(set(processes.made(os.getpgid, [0] * 40, 2, 1))))\n"
    assert executed(server, f"{work}atexit.register(Path('told.txt').touch)") == ["1\n"]
    assert Path("told.txt").exists()


def test_what_the_process_does_without_when_it_imports_can_be_imported_by_a_cell(server, executed):
    cell = "import gc, sys\nprint(sys.modules.get('rfc3987_syntax', 'free'), gc.isenabled())"
    assert executed(server, cell) == ["free True\n"]


def test_notebooks_run_where_the_stream_of_errors_is_closed(little):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    words = [sys.executable, "-m", "aligngemini.cli", "run", "--scale", "tiny", "--only", "02", "--jobs", "1"]
    closing = [sys.executable, "-c", f"import os\nos.close(2)\nos.execv({words[0]!r}, {words!r})"]
    done = subprocess.run(closing, env=os.environ | little.environment, capture_output=True, text=True)
    assert done.returncode == 0 and "[2/2] 02_vlm_dpo, supervision mixed: complete" in done.stdout


def test_workers_of_a_forked_kernel_end_with_it(server, executed):
    cell = "from joblib import Parallel, delayed\nprint(*Parallel(2)(delayed(os.getpid)() for _ in range(4)))"
    (said,) = executed(server, f"import os\n{cell}")
    workers = {int(word) for word in said.split()}
    ends = time.monotonic() + 20
    while any(map(psutil.pid_exists, workers)):
        assert time.monotonic() < ends, "workers stay"
        time.sleep(0.1)


def test_a_forked_kernel_that_dies_is_told_as_such(server, executed):
    with pytest.raises(kernel.Died, match="ended by signal 9"):
        executed(server, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert executed(server, "1 + 1") == [""], "the others go on"


def test_forked_kernels_end_when_the_command_is_killed(tmp_path):
    """Nothing stays of a command that had no time to end them, and nothing is said."""
    begin = (
        "import os, sys\nfrom aligngemini.workflow import forks\nserver = forks.Server()\n"
        "words = ['ipykernel_launcher', '--IPKernelApp.log_level=CRITICAL']\n"
        f"words += ['-f', {str(tmp_path / 'kernel.json')!r}]\n"
        "made = server.start(words, dict(os.environ, PYTHONPATH='', OMP_NUM_THREADS='1'), '.')\n"
        "print(made.pid, server.process.pid, flush=True)\nsys.stdin.read()"
    )
    pipes = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE)
    command = subprocess.Popen([sys.executable, "-c", begin], **pipes, text=True)
    pids = [int(word) for word in command.stdout.readline().split()]
    assert len(pids) == 2 and all(map(psutil.pid_exists, pids))
    command.send_signal(signal.SIGKILL)
    assert command.communicate() == ("", "")
    ends = time.monotonic() + 30
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < ends, "a process stays"
        time.sleep(0.1)


def test_a_command_that_is_killed_while_libraries_are_imported_leaves_no_process(quick, tmp_path):
    """The import may take half a minute; nobody waits for it any more."""
    began = tmp_path / "began"
    server = quick(timm=f"import pathlib, time\npathlib.Path({str(began)!r}).touch()\ntime.sleep(60)")
    ends = time.monotonic() + 60
    while not began.exists():
        assert time.monotonic() < ends, "libraries are not imported"
        time.sleep(0.05)
    server._socket.shutdown(socket.SHUT_RDWR)  # the system closes it when it ends a command
    assert server.process.wait(30) == 0


def test_several_notebooks_are_forked_from_one_process_and_a_single_one_from_none(little, monkeypatch):
    servers = []
    monkeypatch.setattr(forks, "possible", lambda: True)
    complete = kernel.execute
    monkeypatch.setattr(kernel, "execute", lambda *given: servers.append(given[-1]) or complete(*given))
    _, said = little.run("run", "--scale", "tiny", "--jobs", "1")
    assert "[7/7] 05_analysis: complete" in said
    assert len(servers) == 7 and len(set(servers)) == 1
    assert servers[0].process.poll() is not None, "it ends with the command"
