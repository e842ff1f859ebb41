"""The explorer of notebook 04 against counting a table anew: one step of a slider, from the event to all that is shown.

`python tests/benchmarks/explorer.py [IMAGES] [STEPS]` prints milliseconds of processor time of both ways for each rule,
the median over the steps, and their ratio. The other way makes the plotly figure of the plane and the whole table of
notebook 04, with its intervals, as the explorer would if it kept nothing between two steps.
"""

import sys
import time

import numpy as np
import pandas as pd

from aligngemini.analysis import plane
from aligngemini.explore import fusion, show
from aligngemini.fusion import compare, join, rules

NAMES = ["vlm", "expert"]


def saved(images: int) -> fusion.Saved:
    """Scores of a test of three subsets, with twins, and a joint validation set of 600."""
    rng, each = np.random.default_rng(0), images // 6
    rows = []
    for subset, sees in (("semantic", (3, 0)), ("pixel", (0, 3)), ("both", (3, 3))):
        for label in (0, 1):
            odds = rng.normal(np.outer(np.full(each, label), sees) - 1.5, 1.5)
            frame = pd.DataFrame(1 / (1 + np.exp(-2 * odds)), columns=join.columns(NAMES))
            ids = {
                "image_id": [f"{subset}{label}{i}" for i in range(each)],
                "pair_id": [f"{subset}{i}" for i in range(each)],
            }
            rows.append(frame.assign(subset=subset, label=label, benchmark="world", axis="", family="", path="", **ids))
    joined = pd.concat(rows, ignore_index=True).assign(reason="")
    frame = join.fuse(joined, rules.Fusion("or", (0.5, 0.5)), NAMES)
    params = {"rule": "or", "false_positives": 0.05, "learner": "logistic", "seed": 0}
    params |= {"resamples": 2000, "confidence": 0.95}
    return fusion.Saved(frame, frame.sample(min(600, len(frame)), random_state=0), NAMES, params, (0.5, 0.5))


def anew(state: fusion.Saved, rule: str, thresholds: tuple[float, ...]) -> None:
    """The plane as plotly draws it, and the table of notebook 04."""
    joined = state.fusion(rule, thresholds)
    show.bundle(plane.plane(state.frame, rules.region(joined), NAMES))
    compare.compare(state.frame, NAMES, thresholds, {rule: joined})


def median(work, steps: int) -> float:
    """Milliseconds of processor time of one of several steps, which do not repeat."""
    times = []
    for at in np.linspace(0.2, 0.8, steps):
        begun = time.process_time()
        work(float(at))
        times.append(1000 * (time.process_time() - begun))
    return float(np.median(times))


def main(images: int, steps: int) -> None:
    state = saved(images)
    explorer = fusion.Explorer(state)
    explorer.looking = lambda: None  # the gallery waits until nothing moves
    for rule in ("or", "odds", "learned"):
        explorer.rule.value = rule

        def step(at: float) -> None:
            explorer.thresholds[0].value = at
            if explorer.thresholds[0].disabled:
                explorer.draw()

        quick, slow = median(step, steps), median(lambda at, rule=rule: anew(state, rule, (at, 0.5)), 3)
        print(f"{rule}: {len(state.frame)} images, {quick:.0f} ms a step, anew {slow:.0f} ms, ratio {slow / quick:.1f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(20_000, 9)[len(given) :])
