"""What changed between two runs of notebook 04 or 05: what they were made of, and what came out."""

import json
from typing import Any, NamedTuple

import pandas as pd

from aligngemini.analysis import pairs, tables
from aligngemini.core import fingerprint, stages
from aligngemini.core.saved_runs import SavedRun
from aligngemini.core.seeds import generator
from aligngemini.scores import auroc_interval, intervals
from aligngemini.scores.intervals import Interval

PARTS = ("parameters", "versions", "data", "models", "code")
IMAGE = ["subset", "image_id", "label"]
MEASURED = ["n", "difference", "low", "high", "p"]
RESULT = ["model", "benchmark", "subset", "change", "same_images", "before", "after", *MEASURED]


class Snapshot(NamedTuple):
    """A run, what it was made of (label of it or of a run below it -> (part, name) -> value), and all its verdicts."""

    run: SavedRun
    facts: dict[str, dict[tuple[str, str], Any]]
    verdicts: pd.DataFrame


def snapshot(run: SavedRun) -> Snapshot:
    """Read a complete run of notebook 04 or 05 and the runs below it; raises Refused if one is missing or damaged."""
    judged = tables.of_run(run)[-1]
    # Another rule, or another name of a run, makes no other model: a second one of the same title gets a number.
    titles = pd.Series(judged.title.unique())
    plain = titles.str.replace(r" \([^)]*\)$", "", regex=True)
    count = plain.groupby(plain).cumcount() + 1
    names = dict(zip(titles, plain.where(count == 1, plain + " " + count.astype(str)), strict=True))
    verdicts = judged.assign(model=judged.title.map(names)).dropna(subset="verdict").astype({"verdict": int})
    return Snapshot(run, {label: _facts(each) for label, each in run.lineage.items()}, verdicts)


def _facts(run: SavedRun) -> dict[tuple[str, str], Any]:
    """(part, name) -> value. A run that a parameter names is called by its label: names of runs always differ."""
    question, environment, params = run.manifest["question"], run.manifest["environment"], json.dumps(run.params)
    for label, entry in question["inputs"].items():
        params = params.replace(entry["run"], label)
    around = {name: environment.get(name) for name in ("python", "accelerator")} | environment.get("machine", {})
    found = {
        "parameters": json.loads(params) | question.get("numbers", {}),
        "versions": environment["packages"] | around,
        "data": question.get("sources", {}) | (_sets(run) if run.notebook == stages.DATA else {}),
        "models": run.models,
        "code": {"fingerprint": question.get("code", "")[:12]} | environment["git"],
    }
    return {(part, name): value for part in PARTS for name, value in found[part].items()}


def _sets(run: SavedRun) -> dict[str, str]:
    """Name -> number of images and a fingerprint, of each image set of a run of notebook 01."""
    found = {}
    for path in sorted(run.folder.glob("*.parquet")):
        table = pd.read_parquet(path)
        if {*IMAGE} <= {*table}:
            rows = table[IMAGE].sort_values(IMAGE).to_numpy().tolist()
            found[f"{path.stem} images"] = f"{len(rows)} ({fingerprint.digest(rows)[:8]})"
    return found


def made_of(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """What differs in runs of the same label: texts part, name, runs (their labels), before, after; "-" where there is
    nothing."""
    rows = [
        (*key, label, *(str(facts[label].get(key, "-")) for facts in (before.facts, after.facts)))
        for label in before.facts
        if label in after.facts
        for key in before.facts[label] | after.facts[label]
    ]
    table = pd.DataFrame(rows, columns=["part", "name", "runs", "before", "after"]).query("before != after")
    return table.groupby(["part", "name", "before", "after"], sort=False).runs.agg(", ".join).reset_index()


def results(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Balanced accuracy of each model on each subset, and its mean over several, after minus before.

    Columns: RESULT, and p_holm: p after Holm's correction over the whole table. Where both runs judged the same
    images (`same_images`) these are paired; else the difference is one of two independent intervals. `change` is
    "fell" or "rose" where p_holm is at most CLAIMED, else "none"; "gone" or "new" where one run alone has a result.
    """
    old, new = _places(before.verdicts), _places(after.verdicts)
    drawing = [after.run.params[name] for name in ("seed", "resamples", "confidence")]
    rows = []
    for place in old | new:
        row = dict(zip(RESULT, place, strict=False)) | {"change": "new" if place in new else "gone"}
        both = place in old and place in new
        rows.append(row | (_compared(place, old[place], new[place], *drawing) if both else {}))
    table = pairs.corrected(pd.DataFrame(rows, columns=RESULT))
    sure = table.p_holm <= intervals.CLAIMED
    return table.assign(change=table.change.mask(sure, table.difference.lt(0).map({True: "fell", False: "rose"})))


def _places(verdicts: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """(model, benchmark, subset) -> its rows; subset "mean" for a benchmark of several."""
    places = {}
    for (model, benchmark), rows in verdicts.groupby(["model", "benchmark"], sort=False):
        places |= {(model, benchmark, subset): part for subset, part in rows.groupby("subset", sort=False)}
        places |= {(model, benchmark, "mean"): rows} if rows.subset.nunique() > 1 else {}
    return places


def _compared(place: tuple, old: pd.DataFrame, new: pd.DataFrame, seed: int, *drawing) -> dict[str, Any]:
    """Both levels of one model in one place, and the difference between them; `drawing`: resamples and confidence."""
    mean, rng = place[-1] == "mean", generator("changes", seed, *place)
    levels = [_level(part, mean, rng, *drawing) for part in (old, new)]
    row = {"change": "none", "before": levels[0].value, "after": levels[1].value}
    if {*old[IMAGE].itertuples(index=False)} == {*new[IMAGE].itertuples(index=False)}:
        both = pairs.side_by_side(pd.concat([old.assign(title="old"), new.assign(title="new")]), "old", "new")
        found = (pairs.on_the_mean if mean else pairs.tested)(both, rng, *drawing)
        return row | {"same_images": True} | {name: found[name] for name in MEASURED}
    gain = Interval(*auroc_interval.apart(*levels))
    measured = [new.image_id.nunique(), *gain, intervals.p_value(gain, 0, drawing[-1])]
    return row | {"same_images": False} | dict(zip(MEASURED, measured, strict=True))


def _level(part: pd.DataFrame, mean: bool, *drawing) -> Interval:
    if mean:
        return intervals.mean_accuracy(part, *drawing)
    return intervals.accuracy(part.label, part.verdict, *drawing, intervals.groups(part))
