"""The branches that notebook 05 compares: the scores of each, the threshold it judges by, and what trained it."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from aligngemini.branches import registry
from aligngemini.core import manifest, values
from aligngemini.core.params import Refused
from aligngemini.scores import table as score_table

TRAINING = " or ".join(kind.notebook[:2] for kind in registry.KINDS.values() if kind.notebook)  # "02 or 03"
TRAINED = {"semantic": "pictures_semantic", "pixel": "pictures_pixel", "updates": "updates"}


class Model(NamedTuple):
    """One branch: name, supervision ("": not known), run ("" for a branch without one), threshold in [0, 1], its score
    table, the threshold that its validation chose (if known), what its run says of its training (images by task,
    updates), the side of its crop in px (0: none), and its base.
    """

    name: str
    supervision: str
    run: str
    threshold: float
    scores: pd.DataFrame
    validation: float | None = None
    trained: dict = {}
    crop: int = 0
    base: str = ""


def folder(run_or_folder) -> Path:
    """The folder of a run, or the folder itself."""
    return Path(getattr(run_or_folder, "folder", run_or_folder))


def of_run(run_or_folder, fixed: dict[str, float] | None = None) -> Model:
    """Read a complete run that trained a branch as a Model; raise Refused if it holds no threshold.

    It judges by the threshold that its validation chose, or by that of `fixed` for the run or its kind of branch.
    """
    place = folder(run_or_folder)
    record = manifest.read(place)
    if record is None:
        raise Refused(f"{place} is no run: it has no manifest that can be read; name a complete run of {TRAINING}.")
    notebook, results, params = record["run"]["notebook"], record["results"], record["question"]["params"]
    kind = registry.of_notebook(notebook)
    if kind is None or "threshold" not in results:
        raise Refused(f"Run {place.name} of {notebook} has no branch's threshold; name a complete run of {TRAINING}.")
    chosen, fixed = float(results["threshold"]), fixed or {}
    return Model(
        kind.name,
        params["supervision"],
        place.name,
        fixed.get(place.name, fixed.get(kind.name, chosen)),
        score_table.load(place / "scores.parquet"),
        chosen,
        {task: results[key] for task, key in TRAINED.items() if key in results},
        params.get("crop", 0),
        record["models"].get("base", {}).get("name", ""),
    )


def of(runs: dict) -> list[Model]:
    """The branches that a run of notebook 05 compares, from its inputs: those of runs, then those of "fusion" that have
    no run. They judge by the thresholds that fusion was given, if it was given any."""
    given = fixed(runs["fusion"])
    trained = [of_run(run, given) for label, run in runs.items() if label != "fusion"]
    return [*trained, *without_run(runs["fusion"])]


def members(fusion) -> list[dict]:
    """The branches of a run of notebook 04 (or its folder), as detector.json lists them: name, kind, threshold, run,
    and given: the threshold that the branch was given, where the rule has fitted one of its own."""
    branches = values.read(folder(fusion) / "detector.json", "list of branches", "notebook 04")["branches"]
    return [{"given": each["threshold"]} | each for each in branches]


def without_run(fusion) -> list[Model]:
    """The branches of a run of notebook 04 that no notebook trained, with the scores and thresholds of that run."""
    own, models = [each for each in members(fusion) if not each["run"]], []
    fused = values.read(folder(fusion) / "fused.parquet").drop_duplicates("image_id") if own else pd.DataFrame()
    for each in own:
        name, threshold = each["name"], each["given"]
        supervision = each.get("supervision", registry.kind(each["kind"]).supervision)
        score = fused[f"{name}_score"]
        table = score_table.make(fused.image_id, score, name, supervision, fused.reason.where(score.isna(), ""))
        chosen = threshold if fixed(fusion) is None else None
        models.append(Model(name, supervision, "", threshold, table, chosen))
    return models


def fixed(fusion) -> dict[str, float] | None:
    """The thresholds that a run of notebook 04 (or its folder) was given, by run and by kind of branch (of several the
    first's); None if they are from validation.
    """
    record = manifest.read(folder(fusion)) or {}
    if record["question"]["params"].get("thresholds") != "fixed":
        return None
    branches = members(fusion)
    by_kind = {each["kind"]: each["given"] for each in reversed(branches)}
    return by_kind | {Path(each["run"]).name: each["given"] for each in branches if each["run"]}
