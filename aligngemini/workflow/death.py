"""Why a process ended without a word: its exit code, and whether the system says that it wanted for memory."""

import re
import signal
from pathlib import Path

import psutil

COUNTERS = ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
SCARCE = 0.03  # of all memory free: so little only where something takes all it can get


def ended_for_memory() -> int:
    """Return how many processes the system has ended for want of memory since it started; 0 where it does not say."""
    found = [re.findall(r"^oom_kill (\d+)", _text(place), re.MULTILINE) for place in COUNTERS]
    return sum(int(number) for numbers in found for number in numbers)


def _text(place: str) -> str:
    try:
        return Path(place).read_text()
    except OSError:
        return ""


def told(code: int | None, before: int) -> str:
    """Return in words how a kernel ended, with what to do; `code`: its exit code if known, negative for a signal.

    `before`: what `ended_for_memory` gave when it started. Memory is blamed only where the system speaks for it.
    """
    memory = psutil.virtual_memory()
    figures = f"{memory.total / 2**30:.0f} GB in all, {memory.available / 2**30:.0f} GB free now"
    killed = code in (None, -signal.SIGKILL, 128 + signal.SIGKILL)
    if killed and (ended_for_memory() > before or memory.available < SCARCE * memory.total):
        return (
            f"the kernel died without a Python error{_how(code)}, most likely out of memory ({figures}): use smaller "
            "batches or fewer images, or close other programs"
        )
    return f"the kernel died without a Python error{_how(code)}; nothing says that memory was short ({figures})"


def _how(code: int | None) -> str:
    if code is None:
        return ""
    number = -code if code < 0 else code - 128
    known = number in set(signal.Signals)
    return f", ended by signal {number} ({signal.Signals(number).name})" if known else f", with exit code {code}"
