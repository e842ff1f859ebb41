"""Pure supervision against every other supervision of the same model, on the same pictures."""

import numpy as np
import pandas as pd

from aligngemini.scores import intervals

PURE = ("semantic", "pixel")
ROW = ["subset", "image_id"]
PICTURE = ["benchmark", "subset", "image_id", "label", "axis", "family", "path"]
JUDGED = ["pure_score", "other_score", "pure_verdict", "other_verdict"]
MEASURED = ["n", "difference", "low", "high", "only_pure", "only_other", "p"]
RANKED = ["auroc_difference", "auroc_low", "auroc_high"]


def couples(verdicts: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles (pure, other): of each model the first pure run, with every run of another supervision."""
    found = verdicts.drop_duplicates("title")
    pure = found[found.supervision.isin(PURE)].drop_duplicates("model").set_index("model")
    return [
        (pure.title[other.model], other.title)
        for other in found.itertuples()
        if other.model in pure.index and other.supervision != pure.supervision[other.model]
    ]


def side_by_side(verdicts: pd.DataFrame, pure: str, other: str) -> pd.DataFrame:
    """Rows that both models judged: those of the pure one, with score and verdict of either as pure_… and
    other_….
    """
    whole = verdicts[verdicts.verdict.notna()].astype({"verdict": int})
    names = ["score", "verdict", "supervision"]
    first, second = (
        whole[whole.title == title].rename(columns={name: f"{side}_{name}" for name in names})
        for title, side in ((pure, "pure"), (other, "other"))
    )
    return first.merge(second[[*ROW, *(f"other_{name}" for name in names)]], on=ROW)


def differences(verdicts: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Other minus pure on the same images; one row per couple and subset.

    Columns: model, pure, other (titles), pure_supervision, other_supervision, benchmark, subset, axis (of the
    fakes), n, difference of balanced accuracy with low and high, only_pure and only_other (images that only one has
    right), p (exact McNemar), p_holm (p after Holm's correction over all rows of the couple), auroc_difference,
    auroc_low, auroc_high.
    """
    rows = []
    for pure, other in couples(verdicts):
        both = side_by_side(verdicts, pure, other)
        for _, part in both.groupby("subset", sort=False):
            rng = np.random.default_rng([seed, len(rows)])
            rows.append({"pure": pure, "other": other, **_told(part), **tested(part, rng, resamples, confidence)})
    told = ["model", "pure", "other", "pure_supervision", "other_supervision", "benchmark", "subset", "axis"]
    table = pd.DataFrame(rows, columns=[*told, *MEASURED, *RANKED])
    corrected = table.groupby(["pure", "other"]).p.transform(intervals.holm)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", corrected)
    return table


def _told(part: pd.DataFrame) -> dict:
    """What one row of `differences` is about."""
    alike = ["model", "pure_supervision", "other_supervision", "benchmark", "subset"]
    kinds = part.axis[part.label == 1].unique()
    return {name: part[name].iloc[0] for name in alike} | {"axis": kinds[0] if len(kinds) == 1 else "several"}


def tested(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """MEASURED and RANKED, other minus pure, of rows of `side_by_side`."""
    verdicts, scores = (part.pure_verdict, part.other_verdict), (part.pure_score, part.other_score)
    gain = intervals.accuracy_difference(part.label, *verdicts, rng, resamples, confidence)
    area = intervals.roc_area_difference(part.label, *scores, rng, resamples, confidence)
    test = intervals.mcnemar(part.label, *verdicts)
    measures = [len(part), *gain, test.only_first, test.only_second, test.p, *area]
    return dict(zip([*MEASURED, *RANKED], measures, strict=True))


def flips(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Pictures that pure and another supervision of one model judge differently, furthest apart first.

    Columns: model, pure, other, other_supervision, those of the picture, pure_score, other_score, pure_verdict,
    other_verdict, and right ('pure', or the other supervision: which verdict is true).
    """
    tables = []
    for pure, other in couples(verdicts):
        both = side_by_side(verdicts, pure, other)
        turned = both[both.pure_verdict != both.other_verdict].assign(pure=pure, other=other)
        apart = (turned.pure_score - turned.other_score).abs()
        tables.append(turned.loc[apart.sort_values(ascending=False, kind="stable").index])
    shown = [name for name in PICTURE if name in verdicts]
    names = ["model", "pure", "other", "other_supervision", *shown, *JUDGED, "right"]
    if not tables:
        return pd.DataFrame(columns=names)
    table = pd.concat(tables, ignore_index=True)
    table["right"] = np.where(table.pure_verdict == table.label, "pure", table.other_supervision)
    return table[names]
