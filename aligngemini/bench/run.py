"""A benchmark from end to end: find its pictures, score what is new, count, and write it all down."""

from pathlib import Path

import pandas as pd

from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.images.protocols import Protocol

from . import compare_runs, record, results, robustness
from .pictures import Pictures
from .record import Answer
from .score_cache import Scores
from .verdicts import Bench, View


def run(
    detector: Detector,
    pictures: Pictures,
    protocols: list[Protocol],
    perturbations: list[str],
    folder: Path,
    told: dict,
    other: Detector | None = None,
) -> Answer:
    """Judge `pictures` by `detector` under `protocols`, and perturbed under the first of them; write into `folder`.

    `other` is a detector to compare it with; `told` (fit for JSON) is what was asked, for bench.json. Raises Refused if
    no picture can be judged, DiskFull.
    """
    bench = Bench.of(pictures, detector, protocols, Scores())
    plain, harmed = [View(protocol) for protocol in protocols], robustness.views(protocols[0], perturbations)
    bench.score(plain + harmed)
    judged = {view.title: bench.judged(view) for view in plain}
    lost = results.left_out({"": pictures.left_out} | judged)
    verdicts = _verdicts(bench, plain, judged)
    if verdicts["verdict"].isna().all():
        why = results.why(lost)
        raise Refused(f"No picture of {pictures.name} can be judged{why}. Look for another protocol or other pictures.")
    table = results.measured(verdicts)
    empty = results.empty(verdicts, list(judged), lost)
    curves, more = _curves(bench, [plain[0], *harmed], judged[plain[0].title]) if harmed else (None, lost.head(0))
    if harmed and curves is None:
        empty.append(f"no perturbed picture can be judged{results.why(more)}")
    paired = compare_runs.differences(verdicts, _others(bench, other, plain)) if other else None
    beside = results.beside(table, pictures.known, {each.name for each in protocols if bench.as_published(each)})
    answer = Answer(folder, table, empty, beside, pd.concat([lost, more], ignore_index=True), curves, paired)
    record.write(answer, judged, record.of(bench, protocols, answer.left_out, told), pictures.name)
    return answer


def _verdicts(bench: Bench, views: list[View], judged: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Bench.verdicts of all protocols."""
    return pd.concat([bench.verdicts(view, judged[view.title]) for view in views], ignore_index=True)


def _others(bench: Bench, detector: Detector, views: list[View]) -> pd.DataFrame:
    """What another detector says of the same pictures."""
    other = Bench.of(bench.pictures, detector, [view.protocol for view in views], bench.store)
    other.score(views)
    return _verdicts(other, views, {view.title: other.judged(view) for view in views})


def _curves(bench: Bench, views: list[View], first: pd.DataFrame) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """robustness.table, one view in memory at a time (None without any verdict on perturbed pictures), and
    results.left_out of what only the perturbed views lack: `first` is judged without a perturbation."""
    lost = {}

    def frames():
        for view in views:
            judged = bench.judged(view)
            lost[view.title] = results.left_out({view.title: judged[judged["reason"] != first["reason"]]})
            yield view, bench.verdicts(view, judged)

    table = robustness.table(frames())
    perturbed = set(table.get("perturbation", ())) - {robustness.UNTOUCHED}
    return table if perturbed else None, pd.concat(lost.values())
