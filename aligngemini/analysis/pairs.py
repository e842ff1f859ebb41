"""Pure against mixed supervision of the same model, on the same pictures."""

import numpy as np
import pandas as pd

from aligngemini.scores import intervals

MIXED = "mixed"
ROW = ["subset", "image_id"]


def couples(verdicts: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles (pure, mixed) of every two models that differ in supervision, one of them mixed."""
    found = verdicts.drop_duplicates("title")
    return [
        (pure.title, mixed.title)
        for pure in found.itertuples()
        for mixed in found.itertuples()
        if pure.model == mixed.model and pure.supervision != MIXED and mixed.supervision == MIXED
    ]


def side_by_side(verdicts: pd.DataFrame, pure: str, mixed: str) -> pd.DataFrame:
    """Rows that both models judged: those of the pure one, with score and verdict of either as pure_… and
    mixed_…."""
    whole = verdicts[verdicts.verdict.notna()].astype({"verdict": int})
    first, second = (whole[whole.title == title] for title in (pure, mixed))
    second = second[[*ROW, "score", "verdict", "supervision"]]
    return (
        first.rename(columns={"supervision": "pure_supervision"})
        .merge(
            second.rename(
                columns={
                    "supervision": "mixed_supervision",
                    "score": "mixed_score",
                    "verdict": "mixed_verdict",
                }
            ),
            on=ROW,
        )
        .rename(columns={"score": "pure_score", "verdict": "pure_verdict"})
    )


def differences(verdicts: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Mixed minus pure on the same images; one row per couple and subset.

    Columns: model, pure, mixed (titles), subset, n, difference of balanced accuracy with low and high,
    only_pure and only_mixed (images that only one has right), p (exact McNemar), auroc_difference,
    auroc_low, auroc_high.
    """
    rows = []
    for pure, mixed in couples(verdicts):
        both = side_by_side(verdicts, pure, mixed)
        for subset, part in both.groupby("subset", sort=False):
            rng = np.random.default_rng([seed, len(rows)])
            rows.append(
                {
                    "model": part.model.iloc[0],
                    "pure": pure,
                    "mixed": mixed,
                    "subset": subset,
                    **_tested(part, rng, resamples, confidence),
                }
            )
    return pd.DataFrame(
        rows,
        columns=[
            "model",
            "pure",
            "mixed",
            "subset",
            "n",
            "difference",
            "low",
            "high",
            "only_pure",
            "only_mixed",
            "p",
            "auroc_difference",
            "auroc_low",
            "auroc_high",
        ],
    )


def _tested(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """The measures of one row of `differences`."""
    gain = intervals.accuracy_difference(part.label, part.pure_verdict, part.mixed_verdict, rng, resamples, confidence)
    area = intervals.roc_area_difference(part.label, part.pure_score, part.mixed_score, rng, resamples, confidence)
    test = intervals.mcnemar(part.label, part.pure_verdict, part.mixed_verdict)
    return {
        "n": len(part),
        "difference": gain.value,
        "low": gain.low,
        "high": gain.high,
        "only_pure": test.only_first,
        "only_mixed": test.only_second,
        "p": test.p,
        "auroc_difference": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
    }


def flips(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Pictures that pure and mixed supervision of one model judge differently, furthest apart first.

    Columns: model, pure, mixed, those of the picture, pure_score, mixed_score, pure_verdict, mixed_verdict,
    and right ('pure' or 'mixed': which verdict is true).
    """
    tables = []
    for pure, mixed in couples(verdicts):
        both = side_by_side(verdicts, pure, mixed)
        turned = both[both.pure_verdict != both.mixed_verdict].assign(pure=pure, mixed=mixed)
        apart = (turned.pure_score - turned.mixed_score).abs()
        tables.append(turned.loc[apart.sort_values(ascending=False, kind="stable").index])
    names = [
        "model",
        "pure",
        "mixed",
        *[name for name in ("subset", "image_id", "label", "axis", "family", "path") if name in verdicts],
        "pure_score",
        "mixed_score",
        "pure_verdict",
        "mixed_verdict",
        "right",
    ]
    if not tables:
        return pd.DataFrame(columns=names)
    table = pd.concat(tables, ignore_index=True)
    table["right"] = np.where(table.pure_verdict == table.label, "pure", "mixed")
    return table[names]
