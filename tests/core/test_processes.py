"""Worker processes end with whoever started them, and hand over what they make without shared memory."""

import os
import shutil
import subprocess
import sys

import psutil
import pytest
import torch
from torch.utils.data import Dataset
from torch.utils.data._utils import pin_memory

from aligngemini.core import paths, processes

TINY_SHM = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"', "sh"]
BUSY = """
import sys, time, torch
from aligngemini.images.image_files import in_parallel
from aligngemini.core.processes import ahead
class Slow:
    def __len__(self): return 1000
    def __getitem__(self, i): return torch.zeros(2**20)
def slow(item):
    time.sleep(60)
    return {}
if sys.argv[1] == "in_parallel":
    in_parallel(slow, list(range(100)), 2, "slow")
else:
    items = ahead(Slow(), 2)
    next(items)
    time.sleep(60)
"""
SUM = "from tests.core.test_processes import Numbers; from aligngemini.core.processes import ahead; "
SUM += "print(sum(int(each['a'].sum()) for each in ahead(Numbers(2**21), 2)))"


class Numbers(Dataset):
    """Six dicts of tensors with `size` numbers each."""

    def __init__(self, size=3):
        self.size = size

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return {"a": torch.full((self.size,), i, dtype=torch.uint8), "b": {"c": torch.tensor([i / 3, float("nan")])}}


class Single(Numbers):
    def __getitem__(self, i):
        return super().__getitem__(i)["a"]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_items_are_the_same_in_order_whatever_the_number_of_workers(workers):
    made = list(processes.ahead(Numbers(), workers))
    assert len(made) == 6
    for wanted, got in zip((Numbers()[i] for i in range(6)), made, strict=True):
        assert torch.equal(wanted["a"], got["a"]) and got["a"].dtype == torch.uint8
        assert wanted["b"]["c"].numpy().tobytes() == got["b"]["c"].numpy().tobytes()
    assert [int(each[0]) for each in processes.ahead(Single(), workers)] == list(range(6))


def test_no_item_goes_through_shared_memory(monkeypatch):
    def full(*_, **__):
        raise RuntimeError("No space left on device")

    for name in ("_share_fd_cpu_", "_share_filename_cpu_"):
        monkeypatch.setattr(torch.UntypedStorage, name, full)
    assert len(list(processes.ahead(Numbers(), 1, timeout=20))) == 6


def test_the_thread_of_the_dataloader_can_pin_what_processes_make(monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self.shape) or self)
    wanted = Numbers()[1]
    got = processes._tensors(pin_memory.pin_memory(processes._arrays(wanted)))
    assert len(pinned) == 2 and torch.equal(wanted["a"], got["a"])
    assert wanted["b"]["c"].numpy().tobytes() == got["b"]["c"].numpy().tobytes()


def test_a_tiny_dev_shm_is_large_enough():
    if shutil.which("unshare") is None or subprocess.run([*TINY_SHM, "true"], capture_output=True).returncode:
        pytest.skip("another /dev/shm can be mounted by root on Linux alone")
    words = [*TINY_SHM, sys.executable, "-c", SUM]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=paths.ROOT)
    assert done.stdout == f"{15 * 2**21}\n", done.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # half a loader of torch
def test_where_no_process_can_be_started_this_one_does_the_work(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.multiprocessing, "Queue", full)
    assert [int(each[0]) for each in processes.ahead(Single(), 2)] == list(range(6))
    assert "no worker processes can be started" in capsys.readouterr().err


@pytest.mark.parametrize(("items", "workers"), [(0, 2), (3, 2), (20, 1), (20, 2), (21, 3)])
def test_what_is_made_of_items_comes_in_their_order_whatever_the_number_of_workers(items, workers):
    assert list(processes.made(lambda item: (item, item**2), range(items), workers, 4)) == [
        (item, item**2) for item in range(items)
    ]


def test_several_processes_make_what_one_would_and_end_when_all_is_made(monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: 2)
    pids = list(processes.made(lambda item: os.getpid(), range(20), 8, 1))
    assert len(set(pids)) == 2 and os.getpid() not in pids
    assert not any(map(psutil.pid_exists, pids))


class Odd(Exception):
    """An exception that cannot be sent to another process."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def fails(error):
    if isinstance(error, Exception):
        raise error
    return error


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised_as_it_was_when_what_stands_before_it_is_made(workers):
    full = OSError(28, "No space left on device", "picture.png")
    results = processes.made(fails, [*range(6), full, 7], workers, 4)
    assert [next(results) for _ in range(6)] == list(range(6))
    with pytest.raises(OSError, match="No space left") as raised:
        next(results)
    assert raised.value.errno == 28 and raised.value.filename == "picture.png"


def test_an_error_that_cannot_be_sent_is_told_in_its_words():
    with pytest.raises(RuntimeError, match="^Odd: this and that$"):
        list(processes.made(fails, [1, 2, 3, Odd("this", "that")], 2, 2))


@pytest.mark.parametrize("way", ["in_parallel", "ahead"])
def test_workers_end_when_their_owner_is_killed(way, tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    owner = psutil.Popen([sys.executable, tmp_path / "busy.py", way], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        workers = _started(owner)
    finally:
        owner.kill()
        owner.wait()
    assert not psutil.wait_procs(workers, timeout=15)[1]


def _started(owner: psutil.Popen) -> list[psutil.Process]:
    """The processes below `owner` once two of them wait or work and have loaded numpy."""
    for _ in range(600):
        below = owner.children(recursive=True)
        if sum(each.num_threads() > 1 for each in below if each.is_running()) >= 2:
            return below
        psutil.wait_procs([owner], timeout=0.1)
        assert owner.is_running(), "it ended before it was killed"
    raise AssertionError("no workers were started")
