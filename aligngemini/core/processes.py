"""Worker processes: every one ends when the process that started it does, and none needs shared memory."""

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import psutil

from aligngemini.core.progress import say

PAUSE = 1.0  # seconds between two looks at the owner


def end_with(owner: int) -> None:
    """End this process about a second after the process `owner` has ended, in whatever way that happened.

    A process that is killed cannot end what it started. This process looks for itself, because Linux's own signal
    follows the thread that started a process and not its process, and macOS has no such signal.
    """
    threading.Thread(target=_watch, args=(owner,), daemon=True).start()


def _watch(owner: int) -> None:
    try:
        process = psutil.Process(owner)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(PAUSE)
    finally:  # also where psutil finds no such process
        os._exit(1)


def ahead(
    dataset, workers: int, places: range | None = None, pin_memory: bool = False, **options: Any
) -> Iterator[Any]:
    """Yield dataset[0], dataset[1], … (tensors, or dicts of tensors), made ahead by `workers` processes (0: by this).
    `places`: only these, of a dataset that need have no length. pin_memory: they lie in pinned memory; where processes
    make them, a thread receives and pins them while this one computes.

    They come through a pipe. torch would pass them through /dev/shm, which has 64 MB in a container by default, and
    wait for ever once it is full. Where no process can be started, this one makes the items. `options` are those of
    torch's DataLoader for its workers.
    """
    from torch.utils.data import DataLoader

    loader = partial(DataLoader, dataset, batch_size=None, sampler=places, collate_fn=_arrays, pin_memory=pin_memory)
    try:
        items = iter(loader(num_workers=workers, worker_init_fn=partial(_begin, os.getpid()), **options))
    except OSError as error:  # semaphores, too, are files of /dev/shm
        say(f"no worker processes can be started ({error}): batches are prepared in this one, which takes longer")
        items = iter(loader())
    yield from map(_tensors, items)


def _begin(owner: int, number: int) -> None:
    end_with(owner)


class _Array(NamedTuple):
    """A numpy array in the place of a tensor, which would be moved to shared memory."""

    values: np.ndarray

    def tensor(self) -> Any:
        import torch

        return torch.from_numpy(self.values)

    def pin_memory(self) -> Any:
        """What the DataLoader calls."""
        return self.tensor().pin_memory()


def _arrays(item: Any) -> Any:
    return {name: _arrays(each) for name, each in item.items()} if isinstance(item, dict) else _Array(item.numpy())


def _tensors(item: Any) -> Any:
    """The tensors again, of arrays or of what is pinned already."""
    if isinstance(item, dict):
        return {name: _tensors(each) for name, each in item.items()}
    return item.tensor() if isinstance(item, _Array) else item
