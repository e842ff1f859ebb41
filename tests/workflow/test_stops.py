"""Stops and deaths: no kernel stays, one sentence is said, and the same command goes on."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from aligngemini.core import runs, stages
from aligngemini.workflow import forks, kernel

DATA = stages.DATA


def _wait_for(condition, seconds=120):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


def _kernels(process):
    """Those started and those forked."""
    children = psutil.Process(process.pid).children()
    forked = [each for child in children if "fork_server" in " ".join(child.cmdline()) for each in child.children()]
    return [child for child in children if "ipykernel" in " ".join(child.cmdline())] + forked


def _ended(process):
    """Whether it has ended; the system may not have cleared it away yet, since its parent has ended, too."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_stop_ends_all_kernels_that_run_side_by_side(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    process = little.start("run", "--scale", "tiny", "--only", "02", "--jobs", "2", LITTLE_SLEEP="60")
    _wait_for(lambda: len(little.log()) == 4)
    children = _kernels(process)
    process.terminate()
    _, err = process.communicate(timeout=120)
    assert len(children) == 2 and all(map(_ended, children))
    assert process.returncode == 130 and err == "aligngemini: stopped; the same command continues where it was\n"
    assert sorted(record["run"]["status"] for record in runs.all()) == ["complete", "killed", "killed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_leaves_no_kernel_and_says_that_it_can_go_on(little, number):
    process = little.start("run", "--scale", "tiny", "--only", "01", LITTLE_SLEEP="60")
    _wait_for(lambda: len(little.log()) == 1)
    (child,) = _kernels(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "continues where it was" in err
    assert not child.is_running() and [record["run"]["status"] for record in runs.all()] == ["killed"]
    assert not list((little.outputs / DATA).glob(".*.ipynb"))


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM] * 2, [signal.SIGINT, signal.SIGTERM]])
def test_a_stop_says_one_sentence_whatever_the_kernel_would_say(little, signals):
    """The kernel speaks when it is asked to end, on the terminal that it shares with the command."""
    speak = (
        "import signal\nfrom ipykernel.kernelapp import IPKernelApp\n"
        "def speak(*_):\n    IPKernelApp.instance().log.critical('Socket operation on non-socket')\n    os._exit(1)\n"
        "signal.signal(signal.SIGTERM, speak)\ndraw('first.json')\ntime.sleep(60)"
    )
    little.write(DATA, speak)
    process = little.start("run", "--scale", "tiny", "--only", "01")
    _wait_for(lambda: len(little.log()) == 1)
    (child,) = _kernels(process)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and not child.is_running()
    assert err == "aligngemini: stopped; the same command continues where it was\n"


@pytest.mark.skipif(not forks.possible(), reason="kernels are not forked here")
def test_a_stop_kills_a_forked_kernel_without_asking_it(little):
    """One that is asked to end may speak, or note the end of its workers as an error."""
    handle = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: draw('asked.json'))"
    little.write(stages.VLM, handle, "draw('first.json')\ntime.sleep(60)")
    process = little.start("run", "--scale", "tiny", "--jobs", "1")
    _wait_for(lambda: len(little.log()) == 3)
    (child,) = _kernels(process)
    process.terminate()
    assert process.communicate(timeout=120)[1] == "aligngemini: stopped; the same command continues where it was\n"
    assert _ended(child) and len(little.log()) == 3


def test_a_process_that_ended_before_the_stop_is_not_taken_for_another():
    """The system has given its number to a process that has children."""
    begin = "import subprocess, sys\nprint(subprocess.Popen(['sleep', '60']).pid, flush=True)\nsys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(other.stdout.readline()))
    ended = subprocess.Popen(["true"])
    ended.wait()
    ended.pid = other.pid
    kernel._end([ended])
    assert child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    child.kill()
    other.communicate()


def test_a_stop_ends_what_the_kernel_started(little):
    start = "import subprocess\nhelper = subprocess.Popen(['sleep', '300'])\ndraw('first.json')\ntime.sleep(60)"
    little.write(DATA, start)
    process = little.start("run", "--scale", "tiny", "--only", "01")
    _wait_for(lambda: len(little.log()) == 1)
    (helper,) = _kernels(process)[0].children()
    process.terminate()
    process.communicate(timeout=120)
    _wait_for(lambda: not helper.is_running(), 20)


def test_a_kernel_that_is_interrupted_says_nothing_and_an_error_in_a_cell_is_still_told(little, capfd):
    """jupyter_client interrupts a kernel before it shuts it down; a busy one notes that as an error of its own."""
    late = (
        "handlers = get_ipython().kernel.shell_handlers\nexecute = handlers['execute_request']\n"
        "async def interrupted(*request):\n    await execute(*request)\n    raise KeyboardInterrupt\n"
        "handlers['execute_request'] = interrupted"
    )
    little.write(DATA, late, "1 + 1", "raise ValueError('no light')")
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 1 and "ValueError: no light" in said
    assert "KeyboardInterrupt" not in "".join(capfd.readouterr())  # a kernel shares the terminal of the command


def test_a_kernel_that_dies_is_told_as_such(little):
    little.write(DATA, "import signal; os.kill(os.getpid(), signal.SIGKILL)")
    code, said = little.run("run", "--scale", "tiny")
    assert code == 1 and "the kernel died" in said and "ended by signal 9 (SIGKILL)" in said
    assert "short of memory (" in said and "use smaller batches" in said
    assert [record["run"]["status"] for record in runs.all()] == ["failed"]
