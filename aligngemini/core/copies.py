"""Copies of models on several devices: a batch goes to whichever is free, and results come in the order of batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Lock
from typing import Any, Self

from . import devices
from .params import said
from .progress import say_once


class Copies:
    """Lets models work on at most `most` devices at once, one thread for each.

    A model that gives a copy of itself by `on(device)` is copied to each of them when it is first used; the copies are
    freed at the end of a `with` block. All other models take turns: they may share what they compute with.
    """

    def __init__(self, most: int):
        self.devices = devices.alike()[:most] if most > 1 else [None]
        self._free: dict[int, SimpleQueue] = {}
        self._copying, self._turn = Lock(), Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._free:
            import torch

            self._free.clear()
            torch.accelerator.empty_cache()  # other processes may need that memory, such as those of a training

    def use(self, model: Any, function: Callable, *given: Any) -> Any:
        """`function(model, *given)`, with whichever copy of the model is free."""
        if len(self.devices) == 1:
            return function(model, *given)
        if not hasattr(model, "on"):
            with self._turn:
                return function(model, *given)
        import torch

        with self._copying:
            free = self._free.get(id(model)) or self._free.setdefault(id(model), self._copied(model))
        device, one = free.get()
        try:
            with torch.accelerator.device_index(device.index):  # some kernels do not look where their tensors are
                return function(one, *given)
        finally:
            free.put((device, one))

    def _copied(self, model: Any) -> SimpleQueue:
        free = SimpleQueue()
        free.put((self.devices[0], model))
        for device in self.devices[1:]:
            try:
                free.put((device, model.on(device)))
            except Exception as error:  # most likely another program has its memory
                say_once(f"{device} is not used: {said(error)}")
        return free

    def in_order(self, work: Callable, batches: Iterable) -> Iterator:
        """Yield `work(batch)` of each batch, in order; one device needs no threads.

        One batch more than there are devices is taken ahead. What is raised in one thread is raised here when the
        others have ended their batch; none begins another.
        """
        if len(self.devices) == 1:
            yield from map(work, batches)
            return
        pool, waiting = ThreadPoolExecutor(len(self.devices)), deque()
        try:
            for future in map(lambda batch: pool.submit(work, batch), batches):
                waiting.append(future)
                if len(waiting) > len(self.devices):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
