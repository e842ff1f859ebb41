"""What the runs of a sweep measured besides accuracy: probes, rules, which fakes are found, and how subtle they are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aligngemini.analysis import models, seeds, tables
from aligngemini.analysis.seeds import BETTER
from aligngemini.branches import registry
from aligngemini.core import manifest, values
from aligngemini.core.stages import DATA, FUSION
from aligngemini.images import decode
from aligngemini.images import table as images
from aligngemini.scores import metrics

STATISTICS, NETWORK, WORDS = "noise statistics", "small network on pixels", "words of the untuned VLM"
PROBES = {": pixel probe auroc": STATISTICS, ": pixel network auroc": NETWORK}  # how notebook 01 calls its results
BEHIND = "reconstructions behind the degradation"
RIGHT = ("balanced accuracy", "real accuracy")
REALS, NOBODY = "none: real", "no branch"
CHANGED = 16  # grey levels by which a pixel of a fake differs from its twin's, more than JPEG does
GRADES = {"below 5 %": 0.05, "5 to 15 %": 0.15, "above 15 %": 1.0}  # of the pixels


def probes(runs: list) -> pd.DataFrame:
    """AUROC of the probes that the runs of a sweep measured: how pure the training sets are; no rows if there are none.

    Columns: data and point (of the probed run), training set, probe, one column per seed, mean, low, high, n (seeds).
    STATISTICS and NETWORK come from notebook 01, also for pairs BEHIND its whole degradation; WORDS from 02. A pixel
    set should leave WORDS at .5, a semantic set the two others.
    """
    rows = []
    for run in runs:
        record = manifest.read(run.answer.folder) or {}
        results = {name: value for name, value in record["results"].items() if value is not None}
        for key, value in results.items():
            rows += [(run, key.removesuffix(end), PROBES[end], value) for end in PROBES if key.endswith(end)]
        if "description_auroc" in results:
            rows.append((run, record["question"]["params"]["supervision"], WORDS, results["description_auroc"]))
        strength = run.answer.folder / "strength.parquet"
        if run.answer.notebook == DATA and strength.is_file():
            behind = pd.read_parquet(strength).iloc[-1]
            names = {"auroc": STATISTICS, "network_auroc": NETWORK}
            rows += [(run, BEHIND, names[name], behind[name]) for name in names if name in behind]
    return _spread(rows, ["training set", "probe"])


def rules(runs: list) -> pd.DataFrame:
    """What the branches and rules of the runs of notebook 04 reach on the joint validation set and on every benchmark.

    Columns: data and point, rule (or branch), metric (of RIGHT), measured on, against ("" for levels), one column per
    seed, mean, low, high, n (seeds). Differences are taken within each seed: of the first benchmark against validation,
    and of each rule against the better branch.
    """
    rows = []
    for run in _fusions(runs):
        learner = (manifest.read(run.answer.folder) or {})["question"]["params"].get("learner")
        branches = {each["name"] for each in models.members(run.answer.folder)}
        for metric in RIGHT:
            reached = _reached(run.answer.folder, metric.replace(" ", "_"))
            better = reached[reached.index.isin(branches)].max()
            for rule, levels in reached.iterrows():
                name = f"{rule} ({learner})" if rule == "learned" else registry.title(str(rule))
                rows += [(run, name, metric, place, "", level) for place, level in levels.items()]
                if "validation" in levels:
                    gain = levels.iloc[1] - levels["validation"]
                    rows.append((run, name, metric, levels.index[1], "validation", gain))
                if metric == metrics.BALANCED and rule not in branches:
                    gains = levels - better
                    rows += [(run, name, metric, place, BETTER, gain) for place, gain in gains.items()]
    levels_first = sorted(rows, key=lambda row: row[4] != "")
    return _spread(levels_first, ["rule", "metric", "measured on", "against"])


def _reached(folder, metric: str) -> pd.DataFrame:
    """A measure of every rule and branch, one row each: on validation (if there is any), then on each benchmark."""
    ranked, sides = (pd.read_parquet(folder / f"{name}.parquet") for name in ("rules", "sides"))
    means = ranked[ranked.subset == "mean"].pivot(index="rule", columns="benchmark", values=metric)
    means = means.loc[ranked.rule.unique(), ranked.benchmark.unique()]
    validation = f"validation {metric}"
    if validation in sides:
        means.insert(0, "validation", sides.set_index("rule")[validation])
    return means


def found(runs: list) -> pd.DataFrame:
    """Which fakes of each kind the branches and the rule of the runs of notebook 04 call fake, and which NOBODY does.

    Columns: data and point, benchmark, fakes (what is wrong with them: semantic, pixel, both; REALS for real images,
    which nobody should call fake), found by, one column per seed (a share), mean, low, high, n (seeds).
    """
    rows = []
    for run in _fusions(runs):
        rated = values.read(run.answer.folder / "fused.parquet").dropna(subset="verdict")
        rated = rated.drop_duplicates(["benchmark", "image_id"])
        members = {each["name"]: each["given"] for each in models.members(run.answer.folder)}
        hits = pd.DataFrame({registry.title(name): rated[f"{name}_score"] > at for name, at in members.items()})
        hits = hits.assign(fusion=rated.verdict == 1, **{NOBODY: ~hits.any(axis=1)})
        kinds = rated["axis"].replace("none", REALS)
        shares = hits.groupby([rated.benchmark, kinds], sort=False).mean()
        rows += [(run, *place, by, share) for place, each in shares.iterrows() for by, share in each.items()]
    return _spread(rows, ["benchmark", "fakes", "found by"])


def grades(runs: list) -> pd.DataFrame:
    """Which violations the branches find by how much of the image they change (GRADES), in the first benchmark.

    Columns: data and point, model, supervision, changed (a grade), one column per seed (the share called fake), mean,
    low, high, n (seeds). No rows where fakes have no twin.
    """
    rows, measured = [], pd.Series(dtype=float)
    for run in runs:
        if run.answer.notebook == DATA:
            test = tables.first(images.load(run.answer.folder / "test.parquet"))
            test = test[test.subset.isin(test.subset[test["axis"] == "semantic"])]
            measured = changed(test)
        elif run.answer.notebook != FUSION:
            model = models.of_run(run.answer.folder)
            judged = tables.judged(test, [model]).set_index("image_id").verdict
            grade = pd.cut(measured, [-1, *GRADES.values()], labels=list(GRADES))
            shares = judged.reindex(measured.index).groupby(grade, observed=True).mean()
            rows += [(run, registry.title(model.name), model.supervision, *each) for each in shares.items()]
    return _spread(rows, ["model", "supervision", "changed"])


def changed(rows: pd.DataFrame) -> pd.Series:
    """The share of pixels in which the fakes of image-table rows differ from their twins by more than CHANGED, by
    image_id; fakes without a twin of the same size are left out.
    """
    twins = images.pairs(rows).set_index("pair_id")
    fakes = rows[(rows.label == 1) & rows.pair_id.isin(twins.index)].drop_duplicates("pair_id")
    shares = {row.image_id: _share(*twins.loc[row.pair_id, ["real", "fake"]]) for row in fakes.itertuples()}
    return pd.Series(shares, dtype=float).dropna()


def _share(*paths: str) -> float:
    one, other = (decode.read(path).rgb.astype(np.int16) for path in paths)
    return float((abs(one - other).max(axis=2) > CHANGED).mean()) if one.shape == other.shape else float("nan")


def _fusions(runs: list) -> list:
    return [run for run in runs if run.answer.notebook == FUSION]


def _spread(rows: list[tuple], columns: Sequence[str]) -> pd.DataFrame:
    """seeds.spread of rows of a run, what `columns` say, and a value. Runs of notebook 04 that differ in the learner
    alone share a point: what does not depend on it counts once.
    """
    keys = ["data", "point", *columns]
    about = [(run.data, _without_learner(run.point), *rest, run.seed, value) for run, *rest, value in rows]
    long = pd.DataFrame(about, columns=[*keys, "seed", "value"]).drop_duplicates([*keys, "seed"])
    return seeds.spread(long, keys)


def _without_learner(point: str) -> str:
    return ", ".join(part for part in point.split(", ") if not part.startswith("learner "))
