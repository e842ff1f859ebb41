"""A benchmark from end to end: score what is new, count, and write it all down."""

import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.analysis import export, figures, published
from aligngemini.branches.score_cache import Scores
from aligngemini.core import atomic, json_file, manifest, redaction, values
from aligngemini.core.cluster import Cluster
from aligngemini.core.params import Refused
from aligngemini.detector import Detector, of_process
from aligngemini.images.filenames import spelled

from . import results
from .benchmark import Benchmark
from .scoring import Reasons
from .verdicts import Bench, View

IMAGES = 2_000  # of one call on a cluster


class Table(NamedTuple):
    """A table of a benchmark: its heading, its rows, and the same as people read them."""

    heading: str
    rows: pd.DataFrame
    shown: pd.DataFrame


class Answer(NamedTuple):
    """What a benchmark came to: tables by name, and sentences on what judges nothing."""

    tables: dict[str, Table]
    notes: list[str]


def run(
    detector: Detector,
    benchmark: Benchmark,
    views: list[View],
    folder: Path,
    other: Detector | None = None,
    runs: tuple[str, str] = ("", ""),
    nodes: Cluster | None = None,
) -> Answer:
    """Judge `benchmark` by `detector` under the views, the first of which has no perturbation; write into `folder`.

    Perturbed views are points of severity curves; `other` is a detector to compare it with. The nodes of a cluster load
    both by the names in `runs`. Raises Refused if no image can be judged, DiskFull.
    """
    bench, plain = Bench(benchmark, detector, Scores()), [view for view in views if not view.perturbation]
    _score(bench, views, runs[0], nodes)
    judged = {view.title: bench.judged(view) for view in plain}
    lost = results.left_out({"": benchmark.left_out} | judged)
    verdicts = _verdicts(bench, plain)
    if verdicts["verdict"].isna().all():
        why = results.why(lost)
        raise Refused(
            f"No picture of {benchmark.name} can be judged{why}. Look for another protocol or other pictures."
        )
    measured, notes = results.measured(verdicts), results.empty(verdicts, list(judged), lost)
    if about := detector.remark(next(iter(judged.values()))):
        notes.append(about)
    tables = {"measures": Table("every measure", measured, results.shown(measured))}
    alike = {view.title for view in plain if bench.as_published(view.protocol)}
    if (beside := results.beside(measured, benchmark.key, alike)) is not None:
        tables["published"] = Table("published by others, on all pictures", beside, published.shown(beside))
    if other:
        theirs = Bench(benchmark, other, bench.store)
        _score(theirs, plain, runs[1], nodes)
        paired = results.differences(verdicts, _verdicts(theirs, plain))
        heading = f"minus {results.THEIRS}, on the pictures that both judged; p after Holm"
        tables["against"] = Table(heading, paired, results.shown_differences(paired))
    if len(views) > len(plain):
        curves, more = _curves(bench, [each for each in views if each is views[0] or each.perturbation])
        lost = pd.concat([lost, more], ignore_index=True)
        if set(curves.get("perturbation", ())) <= {results.UNTOUCHED}:
            notes.append(f"no perturbed picture can be judged{results.why(more)}")
        else:
            tables["robustness"] = Table(f"{benchmark.name} under perturbations", curves, results.shown_curves(curves))
    tables["left_out"] = Table("left out", lost, results.reasons(lost))
    _write(folder, tables, judged, _facts(bench, plain))
    return Answer(tables, notes)


def _score(bench: Bench, views: list[View], run: str, nodes: Cluster | None) -> None:
    """`bench.score`, in this process or by the detector of `run` on the nodes. Raises DiskFull."""
    if nodes is None:
        return bench.score(views)
    rows = bench.benchmark.rows
    shares = rows.groupby(pd.factorize(rows["image_id"])[0] // IMAGES)  # all rows of an image together
    benchmarks = (bench.benchmark._replace(rows=share, left_out=share[:0]) for _, share in shares)
    for reasons in nodes.each(partial(_scored, each, views, run) for each in benchmarks):
        bench.reasons |= reasons


def _scored(benchmark: Benchmark, views: list[View], run: str) -> Reasons:
    """Score a share on a node; why some of it has no score comes back."""
    bench = Bench(benchmark, of_process(run), Scores())
    bench.score(views)
    return bench.reasons


def _verdicts(bench: Bench, views: list[View]) -> pd.DataFrame:
    return pd.concat([bench.verdicts(view) for view in views], ignore_index=True)


def _curves(bench: Bench, views: list[View]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points of all curves, and what only the perturbed views leave out; the first has no perturbation."""
    first, points, lost = bench.judged(views[0]), [], {}
    for view in views:
        frame = bench.judged(view)
        lost[view.title] = frame[frame["reason"] != first["reason"]]
        points.append(results.curve(view, bench.verdicts(view)))
    return pd.concat(points, ignore_index=True), results.left_out(lost)


def _facts(bench: Bench, views: list[View]) -> dict:
    """Return what bench.json says, except for the files."""
    names, protocols, rows = bench.detector.names, [view.protocol for view in views], bench.benchmark.rows
    fusions = {each.name: bench.fusion(each) for each in protocols}
    counts = pd.crosstab(rows["subset"], rows["label"]).reindex(columns=[0, 1], fill_value=0)
    return {
        "command": redaction.hidden(["aligngemini", *map(spelled, sys.argv[1:])]),
        "detector": {
            "branches": [{"name": n, "crop": crop, **each} for (n, crop), each in bench.facts.items() if n in names],
            "fusion": bench.detector.fusion.as_dict(),
        },
        "protocols": {each.name: each.text for each in protocols},
        "judged_by": {
            name: {"rule": fusion.rule, "thresholds": dict(zip(names, fusion.thresholds, strict=True))}
            for name, fusion in fusions.items()
        },
        "pictures": counts.set_axis(["real", "fake"], axis=1).to_dict("index"),
        "environment": manifest.environment(),
    }


def _write(folder: Path, tables: dict[str, Table], judged: dict[str, pd.DataFrame], facts: dict) -> None:
    """Write all files, bench.json last: scores.parquet (every image under every protocol), results.csv, .md and .tex
    (balanced accuracy), CSV and Markdown of each table, and the curves as robustness.html. Raises DiskFull."""
    texts = {}
    for name, table in tables.items():
        texts |= {f"{name}.csv": table.rows.to_csv(index=False), f"{name}.md": export.markdown(table.shown) + "\n"}
    if curves := tables.get("robustness"):  # with plotly's script inside, the figure needs no network
        page = {"include_plotlyjs": True, "include_mathjax": False, "config": {"displaylogo": False}}
        texts["robustness.html"] = figures.degradation(curves.rows, curves.heading).to_html(**page)
    with manifest.room_on_disk(folder):
        every = [frame.assign(protocol=protocol) for protocol, frame in judged.items()]
        files = [values.write(folder / "scores.parquet", pd.concat(every, ignore_index=True))]
        files += export.write(tables["measures"].rows, folder)
        files += [atomic.write(folder / name, text) for name, text in texts.items()]
        entries = {each.name: manifest.entry(folder, each.name) for each in files}
        json_file.write(folder / "bench.json", facts | {"files": entries})
