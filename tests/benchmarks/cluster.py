"""A study on a Ray cluster of three nodes, one of them killed midway, beside the same study without Ray.

`python -m tests.benchmarks.cluster FOLDER STUDY [OPTIONS of aligngemini sweep]`, with the outputs under FOLDER. Both
ways may run as many notebooks at once as there are cores.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aligngemini.core import manifest
from tests import ray_nodes
from tests.workflow.test_executors import makes_a_run

MEMORY = 6 * 2**30  # bytes of a node
CORES = len(os.sched_getaffinity(0))


def complete(outputs: Path) -> dict[tuple[str, str], dict]:
    """Results, digests of files and attempts of all complete runs."""
    records = [json.loads(path.read_text()) for path in outputs.glob(f"0*/[!.]*/{manifest.NAME}")]
    return {(each["run"]["notebook"], each["run"]["name"]): each for each in records}


def sweep(outputs: Path, words: list[str]) -> float:
    """Run a sweep; return seconds."""
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "aligngemini.cli",
        "sweep",
        *words,
        "--jobs",
        str(CORES),
        "--outputs",
        str(outputs),
    ]
    with (outputs.parent / f"{outputs.name}.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return time.monotonic() - began


def lose(nodes: Any, outputs: Path, after: int) -> None:
    """Kill a node that makes a run, once `after` runs are complete."""
    while len(complete(outputs)) < after or not (busy := [n for n in nodes.worker_nodes if makes_a_run(n)]):
        time.sleep(0.2)
    nodes.remove_node(busy[0], allow_graceful=False)
    print(f"a node is killed after {len(complete(outputs))} runs", flush=True)


def on_cluster(outputs: Path, words: list[str], after: int) -> float:
    """Run a sweep on three nodes; lose one after `after` runs, none for 0."""
    with ray_nodes.three(memory=MEMORY) as nodes:
        killer = threading.Thread(target=lose, args=(nodes, outputs, after), daemon=True)
        if after:
            killer.start()
        return sweep(outputs, [*words, "--executor", "ray", "--address", nodes.address])


def equal(one: dict, other: dict) -> int:
    """The number of runs that are equal in results and in the digests of all files but the executed notebook."""
    assert one.keys() == other.keys(), set(one) ^ set(other)

    def content(run: dict) -> tuple:
        return run["results"], {name: digest for name, digest in run["files"].items() if not name.endswith(".ipynb")}

    return sum(content(one[name]) == content(other[name]) for name in one)


def main(home: Path, words: list[str]) -> None:
    os.environ.update(ray_nodes.VARIABLES)
    home.mkdir(parents=True, exist_ok=True)
    seconds = {"local": sweep(home / "local", words)}
    print(f"local, {CORES} at once: {seconds['local']:.0f} s", flush=True)
    here = complete(home / "local")
    for name, after in {"ray, a node killed": len(here) // 2, "ray": 0}.items():
        outputs = home / name.split(",")[0].replace("ray", f"ray_{after}")
        seconds[name] = on_cluster(outputs, words, after)
        there = complete(outputs)
        again = sum(run["run"]["attempts"] > 1 for run in there.values())
        ratio = seconds[name] / seconds["local"]
        same = f"{equal(here, there)} of {len(here)} runs equal to the local ones"
        print(f"{name}: {seconds[name]:.0f} s, {ratio:.2f} of local; {same}; begun again: {again}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
