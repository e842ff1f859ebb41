"""Worker processes: every one ends when the process that started it does, and none needs shared memory."""

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import psutil
from joblib import cpu_count

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


def made(make: Callable[[Any], Any], items: Sequence, workers: int, batch: int) -> Iterator[Any]:
    """Yield `make(item)` of each item, in order, made ahead by processes that take `batch` items at a time.

    There are at most `workers` processes, and no more than processors or batches; a single one is this one. What `make`
    raises is raised here. Processes that are forked have all that this one has imported.
    """
    count = min(workers, cpu_count(), -(-len(items) // batch))
    if count < 2:
        yield from map(make, items)
        return
    for results in ahead(_Batches(make, items, batch), count):
        for result in results:
            if isinstance(result, _Raised):
                raise result.error
            yield result


class _Raised(NamedTuple):
    error: Exception


@dataclass
class _Batches:
    """What `make` gives of `batch` items each, up to the first that it raises an error of."""

    make: Callable[[Any], Any]
    items: Sequence
    batch: int

    def __len__(self) -> int:
        return -(-len(self.items) // self.batch)

    def __getitem__(self, place: int) -> list[Any]:
        results: list[Any] = []
        for item in self.items[place * self.batch : (place + 1) * self.batch]:
            try:
                results.append(self.make(item))
            except Exception as error:
                return [*results, _Raised(_sendable(error))]
        return results


def _sendable(error: Exception) -> Exception:
    """The error, or its words where it cannot be sent to another process: that would wait for it for ever."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def ahead(
    dataset, workers: int, places: range | None = None, pin_memory: bool = False, **options: Any
) -> Iterator[Any]:
    """Yield dataset[0], dataset[1], … (tensors, dicts of tensors, or lists of anything else), made ahead by `workers`
    processes (0: by this one). `places`: only these, of a dataset that need have no length. pin_memory: tensors lie in
    pinned memory; where processes make them, a thread receives and pins them while this one computes.

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
    if isinstance(item, list):
        return item
    return {name: _arrays(each) for name, each in item.items()} if isinstance(item, dict) else _Array(item.numpy())


def _tensors(item: Any) -> Any:
    """The tensors again, of arrays or of what is pinned already."""
    if isinstance(item, dict):
        return {name: _tensors(each) for name, each in item.items()}
    return item.tensor() if isinstance(item, _Array) else item
