"""What a benchmark leaves on the disk: tables, a figure, and bench.json, which says how they came about."""

import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..analysis import export, published
from ..images.filenames import spelled
from ..images.protocols import Protocol
from ..scores import pictured
from ..workbook import manifest
from . import against, judge, results, robustness


class Answer(NamedTuple):
    """What a benchmark came to: its folder, the tables of `results`, `robustness` and `against` (None: not asked)."""

    folder: Path
    measured: pd.DataFrame
    published: pd.DataFrame
    left_out: pd.DataFrame
    curves: pd.DataFrame | None
    paired: pd.DataFrame | None


def of(bench: judge.Bench, protocols: list[Protocol], lost: pd.DataFrame, told: dict) -> dict:
    """What bench.json says, except for the files; `told` is what was asked."""
    settings = {each.name: judge.settings(each, bench.detector) for each in protocols}
    return {
        "asked": told,
        "command": ["aligngemini", *map(spelled, sys.argv[1:])],
        "detector": bench.detector.told | {"branches": bench.facts},
        "protocols": {each.name: _declared(each) for each in protocols},
        "judged_by": {name: dict(zip(("rule", "vlm", "expert"), each, strict=True)) for name, each in settings.items()},
        "pictures": _counts(bench.pictures.rows),
        "left_out": results.reasons(lost).to_dict("records"),
        "environment": manifest.environment(),
    }


def _declared(protocol: Protocol) -> dict:
    """A protocol as JSON holds it, without what it leaves as it is."""
    facts = {name: value for name, value in dataclasses.asdict(protocol).items() if value not in (0, "", None)}
    facts["subsets"] = {benchmark: sorted(names) for benchmark, names in protocol.subsets.items()}
    return facts | {"fakes_of": sorted(protocol.fakes_of)}


def _counts(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Real and fake pictures by subset."""
    found = rows.groupby(["subset", "label"]).size().unstack(fill_value=0).reindex(columns=[0, 1], fill_value=0)
    return {subset: {"real": int(real), "fake": int(fake)} for subset, real, fake in found.itertuples()}


def write(answer: Answer, judged: dict[str, pd.DataFrame], facts: dict, name: str) -> list[Path]:
    """Write all files of an answer, bench.json last; return their paths. Raises DiskFull.

    scores.parquet (every picture under every protocol), results.csv, .md and .tex, measures.md (every measure),
    left_out.csv, and where there is something to tell published and against (.csv and .md) and robustness (.csv, .md
    and .html).
    """
    folder = answer.folder
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        every = [frame.assign(protocol=protocol) for protocol, frame in judged.items()]
        made = [pictured.write(pd.concat(every, ignore_index=True), folder / "scores.parquet")]
        made += export.write(answer.measured, folder)
        made.append(_markdown(results.shown(answer.measured), folder / "measures.md"))
        made.append(_csv(answer.left_out, folder / "left_out.csv"))
        if len(answer.published):
            made.append(_csv(answer.published, folder / "published.csv"))
            made.append(_markdown(published.shown(answer.published), folder / "published.md"))
        if answer.paired is not None:
            made.append(_csv(answer.paired, folder / "against.csv"))
            made.append(_markdown(against.shown(answer.paired), folder / "against.md"))
        if answer.curves is not None:
            made.append(_csv(answer.curves, folder / "robustness.csv"))
            made.append(_markdown(robustness.shown(answer.curves), folder / "robustness.md"))
            figure = robustness.figure(answer.curves, f"{name} under perturbations")
            made.append(robustness.write(figure, folder / "robustness.html"))
        files = {each.name: manifest.entry(folder, each.name) for each in made}
        manifest.write_json(folder / "bench.json", manifest.plain(facts | {"files": files}))
    return [*made, folder / "bench.json"]


def _csv(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path


def _markdown(table: pd.DataFrame, path: Path) -> Path:
    path.write_text(export.markdown(table) + "\n", encoding="utf-8")
    return path
