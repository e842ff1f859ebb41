"""How many notebooks run at once, and the share of the processors and GPUs that each of them has."""

import os
import shutil
import subprocess
from collections import Counter

import psutil
from joblib import cpu_count

from aligngemini.core.params import Refused, shown
from aligngemini.workflow.plan import Plan

THREADS, GPUS = "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"
# A thread of torch that waits for the others looks up so often, then it sleeps. By itself it would go on for 300,000
# times, some 10 ms in which it keeps a processor from the threads that read and write files (libgomp's manual).
SPINS = {"GOMP_SPINCOUNT": "1000"}


def jobs(text: str, plans: list[Plan]) -> int:
    """Return how many notebooks run at once: what `text` says, or one for each GPU, or else for each processor.

    Never more than can run at once, so that these divide all GPUs. By itself it is no more than memory allows, and one
    where a recipe trains with several processes: these share the GPUs themselves. Raises `Refused`.
    """
    most = sum(map(_at_once, plans))
    if text:
        if not text.isdecimal() or not int(text):
            raise Refused(f"--jobs takes a whole number of at least 1, such as 2, not {shown(text)}")
        return min(int(text), most)
    if any(getattr(item.cfg({}), "accelerate_config", "") for plan in plans for item in plan.mine):
        return 1
    fitting = min(int(psutil.virtual_memory().available / 2**30 / plan.memory) if plan.memory else 1 for plan in plans)
    return min(len(gpus()) or max(1, min(cpu_count(), fitting)), most)


def _at_once(plan: Plan) -> int:
    """Return how many notebooks of a plan can run at once: those that stand on equally many others, one on another."""
    depths: dict[str, int] = {}
    for item in plan.mine:
        depths[item.stage.name] = 1 + max(depths.get(name, 0) for name in item.reads)
    return max(Counter(depths[item.stage.name] for item in plan.mine).values())


def gpus() -> list[str]:
    """Return the names of the GPUs that may be used, as CUDA_VISIBLE_DEVICES takes them."""
    if GPUS in os.environ:
        return [name for name in map(str.strip, os.environ[GPUS].split(",")) if name not in ("", "-1")]
    if not shutil.which("nvidia-smi"):  # torch would know, but its import takes seconds
        return []
    words = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def variables(place: int, jobs: int, beside: int) -> dict[str, str]:
    """Return the variables of the kernel at `place` (from 0) of `jobs` at once; what the user has set stays.

    `beside`: how many notebooks share the processors while it runs, itself included; one alone has all GPUs, too.
    """
    ours = SPINS | {THREADS: str(max(1, cpu_count() // beside))}
    threads = {name: value for name, value in ours.items() if name not in os.environ}
    cards = gpus() if jobs > 1 and beside > 1 else []
    if len(cards) < 2:
        return threads
    return threads | {GPUS: ",".join(cards[place::jobs] or [cards[place % len(cards)]])}
