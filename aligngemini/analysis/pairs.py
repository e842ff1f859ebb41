"""Pure supervision against every other supervision of the same model, on the same pictures."""

import numpy as np
import pandas as pd

from aligngemini.branches.registry import KINDS
from aligngemini.core.seeds import generator
from aligngemini.scores import intervals

ROW = ["subset", "image_id"]
PICTURE = ["benchmark", "subset", "image_id", "label", "axis", "family", "path"]
JUDGED = ["pure_score", "other_score", "pure_verdict", "other_verdict"]
MEASURED = ["n", "difference", "low", "high", "only_pure", "only_other", "p"]
RANKED = ["auroc_difference", "auroc_low", "auroc_high"]


def pure(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of a branch under the supervision that it is made for; all of one that has none, none of fusion.

    `rows` has the columns model and supervision.
    """
    own = rows.model.map({kind.name: kind.supervision for kind in KINDS.values()}).fillna("")
    return (rows.model != "fusion") & ((own == "") | (own == rows.supervision))


def couples(verdicts: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles (pure, other): of each model the first pure run, with every run of another supervision."""
    found = verdicts.drop_duplicates("title")
    first = found[pure(found)].drop_duplicates("model").set_index("model")
    return [
        (first.title[other.model], other.title)
        for other in found.itertuples()
        if other.model in first.index and other.supervision != first.supervision[other.model]
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
    """Other minus pure on the same images, by couple and subset, and fusion minus each pure branch on the mean.

    Columns: model, pure, other (titles), pure_supervision, other_supervision, benchmark, subset, axis (of the
    fakes), n, difference of balanced accuracy with low and high, only_pure and only_other (images that only one has
    right), p (of no difference, from the interval), p_holm (p after Holm's correction over the whole table),
    auroc_difference, auroc_low, auroc_high (NaN on a mean). Pairs of images are resampled together.
    """
    own = verdicts.drop_duplicates("title").set_index("title")[["model", "supervision", "run"]]
    rows = []
    for pure, other in couples(verdicts):
        key = ("difference", seed, *own.loc[pure], *own.loc[other])
        for subset, part in side_by_side(verdicts, pure, other).groupby("subset", sort=False):
            rng = generator(*key, subset)
            rows.append({"pure": pure, "other": other, **_told(part), **tested(part, rng, resamples, confidence)})
    for branch, fused in _joined(own):
        key = ("difference", seed, *own.loc[branch], *own.loc[fused])
        for name, part in side_by_side(verdicts, branch, fused).groupby("benchmark", sort=False):
            told = {"pure": branch, "other": fused, **_told(part), "model": "fusion", "subset": "mean", "axis": "all"}
            rows.append(told | on_the_mean(part, generator(*key, name), resamples, confidence))
    told = ["model", "pure", "other", "pure_supervision", "other_supervision", "benchmark", "subset", "axis"]
    return corrected(pd.DataFrame(rows, columns=[*told, *MEASURED, *RANKED]))


def _joined(own: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles (branch, fusion): the first pure run of each model with every fusion."""
    branches = own[pure(own)].drop_duplicates("model").index
    return [(branch, fused) for fused in own.index[own.model == "fusion"] for branch in branches]


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """The table with p_holm beside p: Holm's correction over all its rows, which are one family of claims."""
    table.insert(table.columns.get_loc("p") + 1, "p_holm", intervals.holm(table.p))
    return table


def _told(part: pd.DataFrame) -> dict:
    """What one row of `differences` is about."""
    alike = ["model", "pure_supervision", "other_supervision", "benchmark", "subset"]
    kinds = part.axis[part.label == 1].unique()
    return {name: part[name].iloc[0] for name in alike} | {"axis": kinds[0] if len(kinds) == 1 else "several"}


def tested(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """MEASURED and RANKED, other minus pure, of the rows of one subset of `side_by_side`."""
    group, verdicts = intervals.groups(part), (part.pure_verdict, part.other_verdict)
    gain = intervals.accuracy_difference(part.label, *verdicts, rng, resamples, confidence, group)
    area = intervals.roc_area_difference(part.label, part.pure_score, part.other_score, confidence, group)
    return _measured(part, gain, area, confidence)


def on_the_mean(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """`tested` on the mean over the subsets of one benchmark."""
    gain = intervals.mean_accuracy_difference(part, rng, resamples, confidence)
    return _measured(part.drop_duplicates("image_id"), gain, intervals.UNDEFINED, confidence)


def _measured(images: pd.DataFrame, gain, area, confidence: float) -> dict:
    pure, other = (images[f"{side}_verdict"] == images.label for side in ("pure", "other"))
    alone = int((pure & ~other).sum()), int((other & ~pure).sum())
    measures = [len(images), *gain, *alone, intervals.p_value(gain, 0, confidence), *area]
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
