"""Every rule and both single branches on every subset, so that trying another rule never scores an image
again."""

import pandas as pd

from aligngemini.fusion import rules
from aligngemini.fusion.join import fuse, scored
from aligngemini.scores import intervals, metrics
from aligngemini.scores import thresholds as cuts


def compare(
    joined: pd.DataFrame,
    vlm_threshold: float,
    expert_threshold: float,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The table rules.parquet: one row per rule (and per branch alone) and subset, and the unweighted mean of each
    benchmark.

    Columns: rule, those of `intervals.table`, and missing. `joined` is what fusion.join gives; images without both
    scores are counted in `missing` and judged by no row.
    """
    whole = joined[scored(joined)]
    tables = [
        intervals.table(judged, (seed, "fusion" if rule in rules.RULES else rule), resamples, confidence).assign(
            rule=rule
        )
        for rule, judged in _judged(whole, vlm_threshold, expert_threshold).items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table["missing"] = intervals.absent(table, joined[~scored(joined)])
    return table[["rule", *[name for name in table if name != "rule"]]]


def _judged(whole: pd.DataFrame, vlm_threshold: float, expert_threshold: float) -> dict[str, pd.DataFrame]:
    """Frames with score and verdict, by branch and rule."""
    judged = {}
    for branch, threshold in (("vlm", vlm_threshold), ("expert", expert_threshold)):
        score = whole[f"{branch}_score"]
        judged[branch] = whole.assign(score=score, verdict=metrics.verdicts(score, threshold))
    for rule in rules.RULES:
        fused = fuse(whole, rule, vlm_threshold, expert_threshold)
        judged[rule] = fused.assign(score=fused.fused_score, verdict=fused.verdict.astype(int))
    return judged


def at_each(
    joined: pd.DataFrame,
    rule: str,
    thresholds: dict[str, dict[str, float]],
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """`compare` for the branches and one rule under several choices of thresholds (name -> {"vlm": …, "expert": …}).

    Further columns: thresholds (the name) and title (rule and name).
    """
    tables = []
    for name, at in thresholds.items():
        table = compare(joined, at["vlm"], at["expert"], resamples, confidence, seed)
        table = table[table.rule.isin(("vlm", "expert", rule))]
        tables.append(table.assign(thresholds=name, title=table.rule + ", " + name))
    return pd.concat(tables, ignore_index=True)


def misfit(joined: pd.DataFrame, branch: str, threshold: float) -> pd.DataFrame:
    """What a branch ("vlm" or "expert") loses on each subset by a threshold that was chosen on other pictures.

    Columns: subset, threshold, value (balanced accuracy by it), best (the threshold that these very pictures would
    choose, which no result may use) and best_value; subsets of one class are left out.
    """
    rows = []
    for subset, part in joined[joined[f"{branch}_score"].notna()].groupby("subset", sort=False):
        if part.label.nunique() == 2:
            score = part[f"{branch}_score"]
            value = metrics.accuracies(part.label, metrics.verdicts(score, threshold))["value"]
            best = cuts.choose(part.label, score)
            rows.append((subset, threshold, value, best.value, best.balanced_accuracy))
    return pd.DataFrame(rows, columns=["subset", "threshold", "value", "best", "best_value"])
