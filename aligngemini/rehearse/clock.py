"""Time and memory of a stage on this machine; a card that is too small is a finding, not a failure."""

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import torch

GLANCE = 0.02  # seconds between two looks at the memory of a process without a GPU


@dataclass
class Clock:
    """Laps of one stage on `device`: seconds and units of each, and the peak in bytes.

    On a GPU the peak is what torch allocated; on a CPU it is the memory of the whole process.
    """

    device: str
    laps: list[tuple[float, int]] = field(default_factory=list)
    peak: int = 0
    large: bool = False  # whether the device was too small
    _last: float = 0.0

    def run(self, stage: Callable[[Callable[[int], None]], None]) -> "Clock":
        """Run `stage(lap)`; out of memory on the GPU ends it with `large` set."""
        watch = _OnCard() if self.device == "cuda" else _Process()
        try:
            stage(self.lap)
        except torch.OutOfMemoryError:
            self.large = True
        self.peak = watch.stop()
        return self

    def lap(self, units: int) -> None:
        """Note that `units` are done since the last call; 0: the time until now was preparation."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if units:
            self.laps.append((now - self._last, units))
        self._last = now

    @property
    def rate(self) -> float:
        """Units a second; the first lap, which warms up, counts only where it is the only one. NaN for none."""
        counted = self.laps[1:] or self.laps
        seconds = sum(seconds for seconds, _ in counted)
        return sum(units for _, units in counted) / seconds if seconds else float("nan")


def free() -> None:
    """Give back what is no longer used, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class _OnCard:
    def __init__(self):
        torch.cuda.reset_peak_memory_stats()

    def stop(self) -> int:
        return torch.cuda.max_memory_allocated()


class _Process:
    """Looks at the process every GLANCE seconds, from a thread: its own record of a peak cannot be set back."""

    def __init__(self):
        self.process, self.peak, self.done = psutil.Process(), 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self.process.memory_info().rss)
            if self.done.wait(GLANCE):
                return

    def stop(self) -> int:
        self.done.set()
        self.thread.join()
        return self.peak
