"""What branches and rules do on the joint validation set and on the test, over the seeds of a sweep."""

import pandas as pd

from aligngemini.analysis import seeds

SETS = ("validation", "test")
METRICS = {"balanced_accuracy": "balanced accuracy", "real_accuracy": "real accuracy"}
ROW = ["data", "point", "rule", "metric", "measured on", "against"]


def gather(made: list, confidence: float = 0.95) -> pd.DataFrame:
    """What the runs of notebook 04 of a sweep (workflow.sweep.Made) measured, from their sides.parquet; no rows if
    there are none.

    Columns: data and point, rule (or branch), metric, measured on (of SETS), against ("" for levels), one column per
    seed, mean, low, high, n (seeds). A difference is taken within each seed: the test against validation.
    """
    runs = [run for run in made if run.answer.notebook == seeds.FUSION]
    rows = [row | {"data": run.data, "point": run.point, "seed": run.seed} for run in runs for row in _rows(run)]
    return seeds.spread(pd.DataFrame(rows, columns=[*ROW, "seed", "value"]), ROW, confidence)


def _rows(run) -> list[dict]:
    """Levels and differences of one run; levels of the test alone where no image of the joint set has all scores."""
    table = pd.read_parquet(run.answer.folder / "sides.parquet").set_index("rule")
    rows = []
    for metric, title in METRICS.items():
        for rule, values in table[[f"{name} {metric}" for name in SETS if f"{name} {metric}" in table]].iterrows():
            by_set = dict(zip(SETS[-len(values) :], values, strict=True))
            levels = [(rule, title, name, "", value) for name, value in by_set.items()]
            gain = [(rule, title, "test", "validation", by_set["test"] - by_set["validation"])] if levels[1:] else []
            rows += levels + gain
    return [dict(zip((*ROW[2:], "value"), row, strict=True)) for row in rows]
