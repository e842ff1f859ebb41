"""A benchmark from end to end: score what is new, count, and write it all down."""

import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.analysis import export, figures, published
from aligngemini.core import json_file, manifest, values
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.images.filenames import spelled
from aligngemini.images.protocols import Protocol

from . import results, robustness
from .benchmark import Benchmark
from .score_cache import Scores
from .verdicts import Bench, View


class Table(NamedTuple):
    """A table beside the results: its heading, its rows, and the same as people read them."""

    heading: str
    rows: pd.DataFrame
    shown: pd.DataFrame


class Answer(NamedTuple):
    """What a benchmark came to: its folder, the table of `results.measured`, sentences on protocols that judge nothing,
    what was left out, and further tables by name."""

    folder: Path
    measured: pd.DataFrame
    empty: list[str]
    left_out: pd.DataFrame
    tables: dict[str, Table]


def run(
    detector: Detector,
    benchmark: Benchmark,
    protocols: list[Protocol],
    perturbations: list[str],
    folder: Path,
    arguments: dict,
    other: Detector | None = None,
) -> Answer:
    """Judge `benchmark` by `detector` under `protocols`, and perturbed under the first of them; write into `folder`.

    `other` is a detector to compare it with; `arguments` (fit for JSON) are those of the command, for bench.json.
    Raises Refused if no image can be judged, DiskFull.
    """
    bench = Bench(benchmark, detector, Scores())
    plain, harmed = [View(protocol) for protocol in protocols], robustness.views(protocols[0], perturbations)
    bench.score(plain + harmed)
    judged = {view.title: bench.judged(view) for view in plain}
    lost = results.left_out({"": benchmark.left_out} | judged)
    verdicts = _verdicts(bench, plain, judged)
    if verdicts["verdict"].isna().all():
        why = results.why(lost)
        raise Refused(
            f"No picture of {benchmark.name} can be judged{why}. Look for another protocol or other pictures."
        )
    measured, empty, tables = results.measured(verdicts), results.empty(verdicts, list(judged), lost), {}
    alike = {each.name for each in protocols if bench.as_published(each)}
    if (beside := results.beside(measured, benchmark.key, alike)) is not None:
        tables["published"] = Table("published by others, on all pictures", beside, published.shown(beside))
    if other:
        paired = results.differences(verdicts, _others(bench, other, plain))
        heading = f"minus {results.THEIRS}, on the pictures that both judged; p after Holm"
        tables["against"] = Table(heading, paired, results.shown_differences(paired))
    if harmed:
        curves, more = _curves(bench, [plain[0], *harmed], judged[plain[0].title])
        lost = pd.concat([lost, more], ignore_index=True)
        if set(curves.get("perturbation", ())) <= {robustness.UNTOUCHED}:
            empty.append(f"no perturbed picture can be judged{results.why(more)}")
        else:
            tables["robustness"] = Table("under perturbations", curves, robustness.shown(curves))
    answer = Answer(folder, measured, empty, lost, tables)
    _write(answer, judged, _facts(bench, protocols, lost, arguments), benchmark.name)
    return answer


def _verdicts(bench: Bench, views: list[View], judged: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([bench.verdicts(view, judged[view.title]) for view in views], ignore_index=True)


def _others(bench: Bench, detector: Detector, views: list[View]) -> pd.DataFrame:
    """Return the verdicts of another detector on the same images."""
    other = Bench(bench.benchmark, detector, bench.store)
    other.score(views)
    return _verdicts(other, views, {view.title: other.judged(view) for view in views})


def _curves(bench: Bench, views: list[View], first: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return robustness.table, one view in memory at a time, and results.left_out of what only the perturbed views
    lack: `first` is judged without a perturbation."""
    lost = {}

    def frames():
        for view in views:
            judged = bench.judged(view)
            lost[view.title] = results.left_out({view.title: judged[judged["reason"] != first["reason"]]})
            yield view, bench.verdicts(view, judged)

    return robustness.table(frames()), pd.concat(lost.values())


def _facts(bench: Bench, protocols: list[Protocol], lost: pd.DataFrame, arguments: dict) -> dict:
    """Return what bench.json says, except for the files."""
    names, rows, fusions = bench.detector.names, bench.benchmark.rows, {p.name: bench.fusion(p) for p in protocols}
    counts = pd.crosstab(rows["subset"], rows["label"]).reindex(columns=[0, 1], fill_value=0)
    return {
        "asked": arguments,
        "command": ["aligngemini", *map(spelled, sys.argv[1:])],
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
        "left_out": results.reasons(lost).to_dict("records"),
        "environment": manifest.environment(),
    }


def _write(answer: Answer, judged: dict[str, pd.DataFrame], facts: dict, title: str) -> None:
    """Write all files of an answer, bench.json last. Raises DiskFull.

    scores.parquet (every image under every protocol), results.csv, .md and .tex, measures.md (every measure),
    left_out.csv, CSV and Markdown of each further table, and the curves as robustness.html.
    """
    folder = answer.folder
    texts = {"measures.md": export.markdown(results.shown(answer.measured)) + "\n"}
    texts["left_out.csv"] = answer.left_out.to_csv(index=False)
    for name, table in answer.tables.items():
        texts |= {f"{name}.csv": table.rows.to_csv(index=False), f"{name}.md": export.markdown(table.shown) + "\n"}
    if curves := answer.tables.get("robustness"):  # with plotly's script inside, the figure needs no network
        page = {"include_plotlyjs": True, "include_mathjax": False, "config": {"displaylogo": False}}
        texts["robustness.html"] = figures.degradation(curves.rows, f"{title} under perturbations").to_html(**page)
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        every = [frame.assign(protocol=protocol) for protocol, frame in judged.items()]
        files = [values.write(folder / "scores.parquet", pd.concat(every, ignore_index=True))]
        files += export.write(answer.measured, folder)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
            files.append(folder / name)
        entries = {each.name: manifest.entry(folder, each.name) for each in files}
        json_file.write(folder / "bench.json", facts | {"files": entries})
