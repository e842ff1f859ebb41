"""Every rule and every single branch on every subset, so that trying another rule never scores an image again."""

from collections.abc import Mapping, Sequence

import pandas as pd

from aligngemini.branches import registry
from aligngemini.fusion import fitted, rules
from aligngemini.fusion.join import FUSED, fuse, scored
from aligngemini.scores import intervals, metrics
from aligngemini.scores import thresholds as cuts

SIDES = ("balanced_accuracy", "real_accuracy")


def fusions(
    thresholds: Sequence[float], scores=None, label=None, false_positives: float = 0.05, learner: str = "logistic"
) -> dict[str, rules.Fusion]:
    """Every rule by its name, from the arguments of Fusion.fit; the fitted ones are absent if they cannot be fitted."""
    fits = len(fitted.complete(scores, label, len(thresholds))[1]) > 0
    possible = [name for name, rule in rules.RULES.items() if fits or not rule.fitted]
    return {name: rules.Fusion.fit(name, thresholds, scores, label, false_positives, learner) for name in possible}


def compare(
    joined: pd.DataFrame,
    names: Sequence[str],
    thresholds: Sequence[float],
    fusions: Mapping[str, rules.Fusion],
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The table rules.parquet: one row per branch at its threshold, per fusion, and subset, and the unweighted mean of
    each benchmark.

    Columns: rule, those of `intervals.table`, and missing. `joined` is what fusion.join gives; images that lack the
    score of any branch are counted in `missing` and judged by no row.
    """
    whole = scored(joined, names)
    tables = {
        rule: intervals.table(each, (seed, "fusion" if rule in fusions else rule), resamples, confidence)
        for rule, each in judged(joined.loc[whole], names, thresholds, fusions).items()
    }
    table = pd.concat(tables, names=["rule"]).reset_index("rule").reset_index(drop=True)
    return table.assign(missing=intervals.absent(table, joined.loc[~whole]))


def judged(
    whole: pd.DataFrame, names: Sequence[str], thresholds: Sequence[float], fusions: Mapping[str, rules.Fusion]
) -> dict[str, pd.DataFrame]:
    """Frames with score and verdict, by branch and rule, of images that all branches have scored."""
    frames = {}
    for name, threshold in zip(names, thresholds, strict=True):
        score = whole[f"{name}_score"]
        frames[name] = whole.assign(score=score, verdict=metrics.verdicts(score, threshold))
    for rule, fusion in fusions.items():
        frames[rule] = fuse(whole, fusion, names).rename(columns={FUSED: "score"})
    return frames


def at_each(
    joined: pd.DataFrame, names: Sequence[str], choices: Mapping[str, tuple[Sequence[float], rules.Fusion]], *resampling
) -> pd.DataFrame:
    """`compare` for the branches and one rule under several choices: name -> (thresholds, the fusion with them).

    Further columns: thresholds (the name) and title (rule and name). `resampling`: resamples, confidence and seed.
    """
    tables = []
    for choice, (thresholds, fusion) in choices.items():
        table = compare(joined, names, thresholds, {fusion.rule: fusion}, *resampling)
        tables.append(table.assign(thresholds=choice, title=table.rule.map(registry.title) + ", " + choice))
    return pd.concat(tables, ignore_index=True)


def side_by_side(
    sets: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    thresholds: Sequence[float],
    fusions: Mapping[str, rules.Fusion],
) -> pd.DataFrame:
    """Balanced and real accuracy of every branch and rule on several sets of images, name -> joined table: unweighted
    means over subsets. A set of which no image has all scores has no columns.

    Columns: rule, fitted ("thresholds", "model" or ""), and for each set "<name> balanced_accuracy" and
    "<name> real_accuracy".
    """
    table = pd.DataFrame({"rule": [*names, *fusions]})
    table["fitted"] = [rules.RULES[rule].fitted if rule in fusions else "" for rule in table["rule"]]
    for title, joined in sets.items():
        rows = joined.loc[scored(joined, names)]
        if len(rows):
            frames = judged(rows, names, thresholds, fusions)
            means = [metrics.mean_over_subsets(metrics.per_subset(frames[rule])) for rule in table["rule"]]
            table = table.assign(**{f"{title} {side}": [mean[side] for mean in means] for side in SIDES})
    return table


def misfit(joined: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """What each branch loses on each subset by a threshold (name -> threshold) that was chosen on other images.

    Columns: branch, subset, threshold, value (balanced accuracy by it), best (the threshold that these very images
    would choose, which no result may use) and best_value; subsets of one class are left out.
    """
    rows = []
    for name, threshold in thresholds.items():
        for subset, part in joined[joined[f"{name}_score"].notna()].groupby("subset", sort=False):
            if part.label.nunique() == 2:
                score = part[f"{name}_score"]
                value = metrics.accuracies(part.label, metrics.verdicts(score, threshold))["value"]
                best = cuts.choose(part.label, score)
                rows.append((name, subset, threshold, value, best.value, best.balanced_accuracy))
    return pd.DataFrame(rows, columns=["branch", "subset", "threshold", "value", "best", "best_value"])
