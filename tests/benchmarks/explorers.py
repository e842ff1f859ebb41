"""From input to picture in the explorers, over the newest runs of notebooks 04 and 05.

`python tests/benchmarks/explorers.py` prints, for each explorer, the median of some steps by the clock, and the first:
from the event to all that is sent to the browser, without what that takes.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from aligngemini.core import runs, stages
from aligngemini.detector import SHIPPED
from aligngemini.explore import degradation, fusion, judge, supervision


def measure(what: str, work: Callable, steps: Sequence) -> None:
    """Print the milliseconds that `work` takes for each of the steps, which do not repeat."""
    times = []
    for step in steps:
        begun = time.perf_counter()
        work(step)
        times.append(1000 * (time.perf_counter() - begun))
    print(f"{what}: {np.median(times):.0f} ms, the first {times[0]:.0f} ms", flush=True)


def main() -> None:
    joined, analysed = (runs.load(stage, "latest") for stage in (stages.FUSION, stages.ANALYSIS))
    explorer = fusion.Explorer(fusion.read(joined))
    explorer.looking = lambda: None  # the gallery waits until nothing moves

    def move(at: float) -> None:
        explorer.thresholds[0].value = at

    measure("fusion, threshold", move, np.linspace(0.2, 0.8, 9))
    measure("fusion, threshold and changed images", lambda at: [move(at), explorer.look()], np.linspace(0.1, 0.9, 8))

    *_, page = supervision.supervision(analysed).children[0].children
    measure("supervision, page", lambda number: setattr(page, "value", number), range(2, 8))

    sliders = degradation.Explorer(joined)
    sliders.score = lambda: None  # scores wait until nothing moves
    measure("degradation, pixels", lambda at: setattr(sliders.four["noise"], "value", at), np.arange(1.0, 10))
    measure("degradation, scores", lambda _: sliders.judge(), range(6))
    measure("try it", lambda path: judge.page(joined, [str(path)]), sorted((SHIPPED / "known").glob("*.jpg")))


if __name__ == "__main__":
    main()
