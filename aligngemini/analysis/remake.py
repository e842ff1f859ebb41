"""What notebook 05 does in its cells, done for a page: from the tables of a run of it, or for a run of notebook 04."""

import pandas as pd

from aligngemini.analysis import cause, families, models, pairs, published, story, tables
from aligngemini.analysis.answers import Answer, answers
from aligngemini.analysis.report import report
from aligngemini.core import values
from aligngemini.core.run import Run
from aligngemini.core.stages import ANALYSIS
from aligngemini.images import table

SAVED = ("alignment", "thresholds", "published", "differences", "confusion", "families", "flips")


def remake(run: Run) -> tuple[list[Answer], str]:
    """The answers and the page of a complete run of notebook 05 or 04. Raises Refused if a table is missing."""
    fusion = run.inputs.get("fusion", run)
    inputs = run.inputs if fusion is not run else {"fusion": run} | run.inputs
    compared = models.of({name: each for name, each in inputs.items() if name != "data"})
    images, fused = table.load(run.data.path("test.parquet")), values.read(fusion.path("fused.parquet"))
    verdicts = tables.judged(images, compared, fused, fusion.results["rule"])
    if run.notebook == ANALYSIS:
        saved = {name: values.read(run.path(f"{name}.parquet"), maker=ANALYSIS) for name in SAVED}
    else:
        saved = _measured(images, compared, verdicts, fusion)
    found = answers(saved["alignment"], saved["differences"], saved["families"])
    words = [story.story(saved["alignment"], saved["differences"]), story.limits(images, compared)]
    words.append(cause.cause(saved["differences"], cause.trained(compared)))
    return found, report(run, words, saved, verdicts, run.params.get("shown", 12))


def _measured(images: pd.DataFrame, compared: list, verdicts: pd.DataFrame, fusion: Run) -> dict[str, pd.DataFrame]:
    """The tables that notebook 05 would save, with the parameters of the run of notebook 04."""
    resampling = [fusion.params[name] for name in ("resamples", "confidence", "seed")]
    alignment = tables.alignment(verdicts, *resampling)
    return {
        "alignment": alignment,
        "thresholds": tables.cut_twice(images, compared, *resampling),
        "published": published.beside(published.measured(published.marked(alignment, compared, fusion))),
        "differences": pairs.differences(verdicts, *resampling),
        "confusion": tables.confusion(verdicts),
        "families": families.found(tables.first(verdicts), fusion.params["confidence"]),
        "flips": pairs.flips(verdicts),
    }
