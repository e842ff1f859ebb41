"""Intervals of balanced accuracy (pictures alone or in pairs) and AUROC against the obvious bootstrap loop over images.

`python tests/benchmarks/intervals.py [IMAGES] [RESAMPLES]` prints resamples per second of both ways in one run, and
their ratio. The loop is timed on 50 resamples.
"""

import sys
import time

import numpy as np

from aligngemini.scores import intervals, metrics

LOOP = 50


def loop(label, rng: np.random.Generator, measure, resamples: int) -> np.ndarray:
    """`measure` of rows drawn with replacement within each class, once per resample."""
    classes = [np.flatnonzero(label == value) for value in (0, 1)]
    return np.array(
        [measure(np.concatenate([rng.choice(rows, len(rows)) for rows in classes])) for _ in range(resamples)]
    )


def rate(work, resamples: int) -> float:
    """Resamples per second of `work`."""
    begun = time.perf_counter()
    work(resamples)
    return resamples / (time.perf_counter() - begun)


def main(images: int, resamples: int) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, images)
    score = 1 / (1 + np.exp(-rng.normal(1.5 * label, 1)))
    verdict = metrics.verdicts(score, 0.5)
    pairs = np.arange(images) // 2
    ways = {
        "balanced accuracy, pairs": (
            lambda count: intervals.accuracy(label, verdict, rng, count, group=pairs),
            lambda rows: metrics.accuracies(label[rows], verdict[rows])["value"],
        ),
        "balanced accuracy": (
            lambda count: intervals.accuracy(label, verdict, rng, count),
            lambda rows: metrics.accuracies(label[rows], verdict[rows])["value"],
        ),
        "AUROC": (
            lambda count: intervals.roc_area(label, score),
            lambda rows: metrics.auroc(label[rows], score[rows]),
        ),
    }
    for name, (ours, measure) in ways.items():
        quick = rate(ours, resamples)
        plain = rate(lambda count, each=measure: loop(label, rng, each, count), LOOP)
        took = f"{images} images, {resamples} resamples in {resamples / quick:.2f} s"
        print(f"{name}: {took}; ours {quick:.0f}/s, loop {plain:.0f}/s, ratio {quick / plain:.0f}")


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*given, *(100_000, 10_000)[len(given) :])
