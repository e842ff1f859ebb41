"""Peak memory of a benchmark of few pictures and of many: it must not grow with their number.

`python tests/benchmarks/memory.py [FEW] [MANY]` benches folders of so many pictures with the shipped detector, each in
a process of its own, and prints the peak resident memory of both in MB, and their ratio.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from aligngemini.images import pictures

BENCH = [sys.executable, "-m", "aligngemini.cli", "bench", "--run", "shipped", "--protocol", "native", "--benchmark"]


def lay(root: Path, count: int) -> Path:
    """Draw `count` pictures, half of them called fake."""
    for place, violated in (("0_real", False), ("1_fake", True)):
        folder = root / str(count) / place
        folder.mkdir(parents=True)
        pictures.from_world([(i, violated) for i in range(count // 2)], str(folder), 0, "benchmark", "m", 112, None)
    return root / str(count)


def peak(root: Path) -> float:
    """MB that benching `root` took at its highest."""
    home = {"ALIGNGEMINI_BUILT": f"{root}/built", "ALIGNGEMINI_OUTPUTS": f"{root}/outputs"}
    worker = subprocess.Popen([*BENCH, str(root)], env=os.environ | home, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(worker.pid, 0)
    if status:
        raise SystemExit(f"the benchmark of {root} ended with {status}")
    return usage.ru_maxrss / (1 if sys.platform == "linux" else 1024) / 1024


def main(few: int, many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, large = (peak(lay(Path(folder), count)) for count in (few, many))
    print(f"{few} pictures: {small:,.0f} MB, {many}: {large:,.0f} MB, ratio {large / small:.2f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(200, 3000)[len(given) :])
