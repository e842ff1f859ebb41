"""What a benchmark leaves on the disk: tables, a figure, and bench.json, which says how they came about."""

import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.analysis import export, published
from aligngemini.core import json_file, manifest, values
from aligngemini.images.filenames import spelled
from aligngemini.images.protocols import Protocol

from . import compare_runs, results, robustness, verdicts


class Answer(NamedTuple):
    """What a benchmark came to: its folder, sentences on protocols that judge nothing, and the tables of `results`,
    `robustness` and `against` (None: not asked, or nothing known)."""

    folder: Path
    measured: pd.DataFrame
    empty: list[str]
    published: pd.DataFrame | None
    left_out: pd.DataFrame
    curves: pd.DataFrame | None
    paired: pd.DataFrame | None


def of(bench: verdicts.Bench, protocols: list[Protocol], lost: pd.DataFrame, told: dict) -> dict:
    """What bench.json says, except for the files; `told` is what was asked."""
    names, rows = bench.detector.names, bench.pictures.rows
    counts = pd.crosstab(rows["subset"], rows["label"]).reindex(columns=[0, 1], fill_value=0)
    facts = [{"name": name, "crop": crop, **each} for (name, crop), each in bench.facts.items() if name in names]
    return {
        "asked": told,
        "command": ["aligngemini", *map(spelled, sys.argv[1:])],
        "detector": {"branches": facts, "fusion": bench.detector.fusion.as_dict()},
        "protocols": {each.name: _declared(each) for each in protocols},
        "judged_by": {each.name: _settings(bench, each) for each in protocols},
        "pictures": counts.set_axis(["real", "fake"], axis=1).to_dict("index"),
        "left_out": results.reasons(lost).to_dict("records"),
        "environment": manifest.environment(),
    }


def _settings(bench: verdicts.Bench, protocol: Protocol) -> dict:
    """The rule and every branch's threshold under a protocol."""
    fusion = bench.fusion(protocol)
    return {"rule": fusion.rule, "thresholds": dict(zip(bench.detector.names, fusion.thresholds, strict=True))}


def _declared(protocol: Protocol) -> dict:
    """A protocol as JSON holds it, without what it leaves as it is."""
    facts = {name: value for name, value in dataclasses.asdict(protocol).items() if value not in (0, "", None)}
    facts["subsets"] = {benchmark: sorted(names) for benchmark, names in protocol.subsets.items()}
    return facts | {"fakes_of": sorted(protocol.fakes_of)}


def write(answer: Answer, judged: dict[str, pd.DataFrame], facts: dict, title: str) -> list[Path]:
    """Write all files of an answer, bench.json last; return their paths. Raises DiskFull.

    scores.parquet (every picture under every protocol), results.csv, .md and .tex, measures.md (every measure),
    left_out.csv, and where there is something to tell published and against (.csv and .md) and robustness (.csv, .md
    and .html).
    """
    folder = answer.folder
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        every = [frame.assign(protocol=protocol) for protocol, frame in judged.items()]
        made = [values.write(folder / "scores.parquet", pd.concat(every, ignore_index=True))]
        made += export.write(answer.measured, folder)
        for name, text in _texts(answer, title).items():
            (folder / name).write_text(text, encoding="utf-8")
            made.append(folder / name)
        files = {each.name: manifest.entry(folder, each.name) for each in made}
        json_file.write(folder / "bench.json", facts | {"files": files})
    return [*made, folder / "bench.json"]


def _texts(answer: Answer, title: str) -> dict[str, str]:
    """The files beside scores and results, by name."""
    texts = {"measures.md": export.markdown(results.shown(answer.measured)) + "\n"}
    texts["left_out.csv"] = answer.left_out.to_csv(index=False)
    tables = (answer.published, published), (answer.paired, compare_runs), (answer.curves, robustness)
    for name, (table, room) in zip(("published", "against", "robustness"), tables, strict=True):
        if table is not None:
            texts[f"{name}.csv"] = table.to_csv(index=False)
            texts[f"{name}.md"] = export.markdown(room.shown(table)) + "\n"
    if answer.curves is not None:  # with plotly's script inside, it is drawn without a network
        page = {"include_plotlyjs": True, "include_mathjax": False, "config": {"displaylogo": False}}
        texts["robustness.html"] = robustness.figure(answer.curves, f"{title} under perturbations").to_html(**page)
    return texts
