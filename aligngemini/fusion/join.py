"""Two score tables and the test image table become one table; what lacks a score stays in it, with the
reason."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from aligngemini.fusion import rules
from aligngemini.workbook.params import Refused

KEPT = ("subset", "image_id", "pair_id", "label", "axis", "family", "generator", "benchmark", "path")
BRANCHES = ("vlm", "expert")


def join(images: pd.DataFrame, vlm: pd.DataFrame, expert: pd.DataFrame) -> pd.DataFrame:
    """One row per (subset, image_id) of the test table `images`, in its order, with both branches' scores.

    Columns: those of KEPT that `images` has, vlm_score and expert_score (float64, NaN if absent) and reason
    ('' or why a score is absent, for every branch that lacks one). Raises Refused if a (subset, image_id)
    stands twice.
    """
    twice = images.duplicated(["subset", "image_id"])
    if twice.any():
        row = images[twice].iloc[0]
        raise Refused(f"Image {row.image_id[:12]} stands twice in subset {row.subset}; make the test table again.")
    joined = images[[name for name in KEPT if name in images]].reset_index(drop=True)
    why = [images["reason"].fillna("").tolist() if "reason" in images else [""] * len(images)]
    for branch, scores in zip(BRANCHES, (vlm, expert), strict=True):
        rows = scores.set_index("image_id")[["score", "reason"]].reindex(joined.image_id)
        joined[f"{branch}_score"] = rows.score.to_numpy(dtype=np.float64)
        unscored = np.where(
            rows.reason.isna(), f"{branch}: not in its score table", f"{branch}: " + rows.reason.fillna("")
        )
        why.append(np.where(rows.score.isna(), unscored, "").tolist())
    joined["reason"] = ["; ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*why, strict=True)]
    return joined


def reason(told: Mapping[str | None, str]) -> str:
    """The `reason` of one image from that of each branch, and of the image itself under None: 'vlm: ...; expert: ...'.

    What both branches say alike is about the image.
    """
    if len(set(told.values())) == 1 and set(BRANCHES) <= set(told):
        return next(iter(told.values()))
    return "; ".join(text if branch is None else f"{branch}: {text}" for branch, text in told.items())


def fuse(joined: pd.DataFrame, rule: str, vlm_threshold: float, expert_threshold: float) -> pd.DataFrame:
    """`joined` with fused_score (float64), verdict (Int8 0/1) and fired ('', 'vlm', 'expert', 'both').

    An image that lacks either score gets no fused score and no verdict under any rule, `or` included: a
    branch that has not looked has not said real. fired then names the branch that is above its threshold,
    if one is.
    """
    whole = scored(joined)
    verdict, score = rules.fuse(
        rule, joined.vlm_score[whole], joined.expert_score[whole], vlm_threshold, expert_threshold
    )
    fused = joined.assign(fused_score=np.nan, verdict=pd.array([pd.NA] * len(joined), dtype="Int8"))
    fused.loc[whole, "fused_score"] = score
    fused.loc[whole, "verdict"] = verdict
    fused["fired"] = rules.fired(joined.vlm_score, joined.expert_score, vlm_threshold, expert_threshold)
    return fused


def scored(joined: pd.DataFrame) -> pd.Series:
    """True for the rows that have both scores."""
    return joined.vlm_score.notna() & joined.expert_score.notna()


def missing(joined: pd.DataFrame) -> pd.DataFrame:
    """The rows that cannot be fused, with the reason; columns subset, image_id, label, path, scores,
    reason."""
    names = ["subset", "image_id", "label", "path", "vlm_score", "expert_score", "reason"]
    return joined.loc[~scored(joined), [name for name in names if name in joined]].reset_index(drop=True)
