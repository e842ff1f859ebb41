"""Pure supervision against every other supervision of the same model, on the same images."""

import numpy as np
import pandas as pd

from aligngemini.branches.registry import KINDS
from aligngemini.core.seeds import generator
from aligngemini.scores import intervals

ROW = ["subset", "image_id"]
ABOUT = ["model", "pure", "other", "pure_supervision", "other_supervision", "benchmark", "subset", "axis"]
IMAGE = ["benchmark", "subset", "image_id", "pair_id", "label", "axis", "family", "path"]
JUDGED = ["pure_score", "other_score", "pure_verdict", "other_verdict"]
MEASURED = ["n", "difference", "low", "high", "only_pure", "only_other", "p"]
RANKED = ["auroc_difference", "auroc_low", "auroc_high"]


def pure(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of a branch under the supervision that it is made for; all of one that has none, none of fusion.

    `rows` has the columns model and supervision.
    """
    own = rows.model.map({kind.name: kind.supervision for kind in KINDS.values()}).fillna("")
    return (rows.model != "fusion") & ((own == "") | (own == rows.supervision))


def first_pure(rows: pd.DataFrame) -> pd.DataFrame:
    """Of rows with the columns model and supervision the first of each model that is `pure`."""
    return rows[pure(rows)].drop_duplicates("model")


def couples(verdicts: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles (pure, other): of each model the first pure run, with every run of another supervision."""
    runs = verdicts.drop_duplicates("title")
    first = first_pure(runs).set_index("model")
    return [
        (first.title[other.model], other.title)
        for other in runs.itertuples()
        if other.model in first.index and other.supervision != first.supervision[other.model]
    ]


def side_by_side(verdicts: pd.DataFrame, pure: str, other: str) -> pd.DataFrame:
    """Rows that both models judged: those of the pure one, with score, verdict and supervision of either as pure_… and
    other_….
    """
    whole = verdicts[verdicts.verdict.notna()].astype({"verdict": int})
    names = ["score", "verdict", "supervision"]
    first = whole[whole.title == pure].rename(columns={name: f"pure_{name}" for name in names})
    second = whole[whole.title == other].rename(columns={name: f"other_{name}" for name in names})
    return first.merge(second[[*ROW, *(f"other_{name}" for name in names)]], on=ROW)


def differences(verdicts: pd.DataFrame, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Other minus pure on the same images, by couple and subset, and fusion minus each pure branch on the mean.

    Columns: model, pure, other (titles), pure_supervision, other_supervision, benchmark, subset, axis (of the
    fakes), n, difference of balanced accuracy with low and high, only_pure and only_other (images that only one has
    right), p (of no difference, from the interval), p_holm (p after Holm's correction over the whole table),
    auroc_difference, auroc_low, auroc_high (NaN on a mean). Pairs of images are resampled together.
    """
    runs = verdicts.drop_duplicates("title").set_index("title")[["model", "supervision"]]
    branches = first_pure(runs).index
    fused = [(branch, title) for title in runs.index[runs.model == "fusion"] for branch in branches]
    rows = []
    for place, couple in [("subset", each) for each in couples(verdicts)] + [("benchmark", each) for each in fused]:
        for name, part in side_by_side(verdicts, *couple).groupby(place, sort=False):
            rng = generator("difference", seed, *runs.loc[couple[0]], *runs.loc[couple[1]], name)
            test = on_the_mean if place == "benchmark" else tested
            about = dict(zip(("pure", "other"), couple, strict=True)) | _about(part, place == "benchmark")
            rows.append(about | test(part, rng, resamples, confidence))
    return corrected(pd.DataFrame(rows, columns=[*ABOUT, *MEASURED, *RANKED]))


def _about(part: pd.DataFrame, mean: bool) -> dict:
    alike = part[["model", "pure_supervision", "other_supervision", "benchmark", "subset"]].iloc[0].to_dict()
    axes = part.axis[part.label == 1].unique()
    own = {"model": "fusion", "subset": "mean", "axis": "all"}
    return alike | (own if mean else {"axis": axes[0] if len(axes) == 1 else "several"})


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """The table with p_holm beside p: Holm's correction over all its rows, which are one family of claims."""
    table.insert(table.columns.get_loc("p") + 1, "p_holm", intervals.holm(table.p))
    return table


def tested(part: pd.DataFrame, rng: np.random.Generator, resamples: int = 2000, confidence: float = 0.95) -> dict:
    """MEASURED and RANKED, other minus pure, of the rows of one subset of `side_by_side`."""
    group = intervals.groups(part)
    gain = intervals.accuracy(part.label, part.other_verdict, rng, resamples, confidence, group, part.pure_verdict)
    area = intervals.roc_area(part.label, part.other_score, confidence, group, part.pure_score)
    return _measured(part, gain, area, confidence)


def on_the_mean(part: pd.DataFrame, rng: np.random.Generator, resamples: int, confidence: float) -> dict:
    """`tested` on the mean over the subsets of one benchmark."""
    rows = part.rename(columns={"other_verdict": "verdict"})
    gain = intervals.mean_accuracy(rows, rng, resamples, confidence, part.pure_verdict)
    return _measured(part.drop_duplicates("image_id"), gain, intervals.UNDEFINED, confidence)


def _measured(images: pd.DataFrame, gain, area, confidence: float) -> dict:
    right = {side: images[f"{side}_verdict"] == images.label for side in ("pure", "other")}
    alone = [int((right["pure"] & ~right["other"]).sum()), int((right["other"] & ~right["pure"]).sum())]
    measures = [len(images), *gain, *alone, intervals.p_value(gain, 0, confidence), *area]
    return dict(zip([*MEASURED, *RANKED], measures, strict=True))


def flips(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Images that pure and another supervision of one model judge differently, furthest apart first.

    Columns: model, pure, other, other_supervision, those of the image, pure_score, other_score, pure_verdict,
    other_verdict, and right ('pure', or the other supervision: which verdict is true).
    """
    shown = [name for name in IMAGE if name in verdicts]
    columns = ["model", "pure", "other", "other_supervision", *shown, *JUDGED, "right"]
    tables = [pd.DataFrame(columns=columns)]
    for pure, other in couples(verdicts):
        both = side_by_side(verdicts, pure, other).assign(pure=pure, other=other)
        both["right"] = np.where(both.pure_verdict == both.label, "pure", both.other_supervision)
        order = (both.pure_score - both.other_score).abs().sort_values(ascending=False, kind="stable").index
        tables.append(both.loc[order, columns].query("pure_verdict != other_verdict"))
    return pd.concat(tables[1:] or tables, ignore_index=True)
