"""How pure the training sets of a sweep are: what probes guess the label from, seed by seed."""

import pandas as pd

from aligngemini.analysis import seeds
from aligngemini.core import manifest

PIXELS, WORDS = "noise statistics", "words of the untuned VLM"
PROBED = ": pixel probe auroc"  # how notebook 01 calls what it measured, after the name of a training set
ROW = ["data", "point", "training set", "probe"]


def gather(made: list, confidence: float = 0.95) -> pd.DataFrame:
    """AUROC of the probes that the runs of a sweep (workflow.sweep.Made) measured; no rows if they measured none.

    Columns: data and point (of the probed run), training set, probe (PIXELS, from notebook 01, or WORDS, from 02),
    one column per seed, mean, low, high, n (seeds). A pixel set should leave WORDS at .5, a semantic set PIXELS.
    """
    keys = ["data", "point", "seed"]
    rows = [row | {key: getattr(run, key) for key in keys} for run in made for row in _probes(run)]
    return seeds.spread(pd.DataFrame(rows, columns=[*ROW, "seed", "value"]), ROW, confidence)


def _probes(run) -> list[dict]:
    """What one run says of its training sets."""
    told = manifest.read(run.answer.folder)
    found = {key: value for key, value in told["results"].items() if value is not None}
    rows = [(key.removesuffix(PROBED), PIXELS, value) for key, value in found.items() if key.endswith(PROBED)]
    if "description_auroc" in found:
        rows.append((told["question"]["params"]["supervision"], WORDS, found["description_auroc"]))
    return [dict(zip((*ROW[2:], "value"), row, strict=True)) for row in rows]
