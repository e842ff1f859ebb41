"""A benchmark from end to end: find its pictures, score what is new, count, and write it all down."""

from pathlib import Path

import pandas as pd

from ..images.protocols import Protocol
from ..workbook.params import Refused
from . import against, judge, record, results, robustness, scoring
from .judge import Bench, View
from .pictures import Pictures
from .record import Answer
from .remembered import Scores
from .scoring import Reasons


def run(
    detector,
    pictures: Pictures,
    protocols: list[Protocol],
    perturbations: list[str],
    folder: Path,
    told: dict,
    other=None,
) -> Answer:
    """Judge `pictures` by `detector` under `protocols`, and perturbed under the first of them; write into `folder`.

    `other` is a detector to compare it with; `told` (fit for JSON) is what was asked, for bench.json. Raises Refused if
    no picture can be judged, DiskFull.
    """
    bench, store = Bench.of(pictures, detector, protocols), Scores()
    plain = [View(protocol) for protocol in protocols]
    harmed = robustness.views(protocols[0], perturbations)
    reasons = scoring.score(detector, _images(pictures), bench.wanted(plain + harmed), store)
    judged = {view.protocol.name: bench.judged(view, store, reasons) for view in plain}
    lost = results.left_out(judged, pictures.left_out)
    verdicts = _verdicts(detector, judged, plain)
    if verdicts["verdict"].isna().all():
        raise Refused(_nothing(pictures, lost))
    table = results.measured(verdicts)
    curves = None
    if perturbations:
        curves, more = _curves(bench, [plain[0], *harmed], store, reasons)
        lost = pd.concat([lost, more], ignore_index=True)
    paired = against.differences(verdicts, _others(other, pictures, plain, store)) if other else None
    alike = {each.name for each in protocols if judge.as_published(each, pictures.known, detector)}
    answer = Answer(folder, table, results.beside(table, pictures.known, alike), lost, curves, paired)
    record.write(answer, judged, record.of(bench, protocols, lost, told), pictures.name)
    return answer


def _verdicts(detector, judged: dict[str, pd.DataFrame], views: list[View]) -> pd.DataFrame:
    """judge.verdicts of all protocols."""
    return pd.concat([judge.verdicts(judged[view.protocol.name], view, detector) for view in views], ignore_index=True)


def _others(detector, pictures: Pictures, views: list[View], store: Scores) -> pd.DataFrame:
    """What another detector says of the same pictures."""
    bench = Bench.of(pictures, detector, [view.protocol for view in views])
    reasons = scoring.score(detector, _images(pictures), bench.wanted(views), store)
    return _verdicts(detector, {view.protocol.name: bench.judged(view, store, reasons) for view in views}, views)


def _images(pictures: Pictures) -> pd.DataFrame:
    """Each picture once, under its first path."""
    return pictures.rows.drop_duplicates("image_id")[["image_id", "path", "reason"]]


def _nothing(pictures: Pictures, lost: pd.DataFrame) -> str:
    why = results.reasons(lost)["reason"]
    reason = f": {'; '.join(why.unique())}" if len(why) else "; is a subset there that the protocol counts?"
    return f"No picture of {pictures.name} can be judged{reason}. Look for another protocol or other pictures."


def _curves(bench: Bench, views: list[View], store: Scores, reasons: Reasons) -> tuple[pd.DataFrame, pd.DataFrame]:
    """robustness.table, one view in memory at a time, and results.left_out of what only the perturbed views lack."""
    lost: list[pd.DataFrame] = []

    def frames():
        for view in views:
            judged = bench.judged(view, store, reasons)
            lost.append(results.left_out({view.title: judged}, bench.pictures.left_out.head(0)))
            yield view, judge.verdicts(judged, view, bench.detector)

    table = robustness.table(frames())
    first, *others = lost
    key = ["path", "subset", "reason"]
    known = pd.MultiIndex.from_frame(first[key])
    return table, pd.concat([part[~pd.MultiIndex.from_frame(part[key]).isin(known)] for part in others])
