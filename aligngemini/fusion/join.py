"""Score tables of branches and an image table become one table; what lacks a score stays in it, with the reason."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from aligngemini.core.params import Refused
from aligngemini.fusion import rules

CARRIED = ("subset", "image_id", "pair_id", "label", "axis", "family", "generator", "benchmark", "path")
FUSED = "fused_score"


def join(images: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per (subset, image_id) of the image table `images`, in its order, with the scores of the branches in
    `tables`, name -> score table.

    Columns: those of CARRIED that `images` has, <name>_score for each (float64, NaN if absent) and reason ('' or why a
    score is absent, for every branch that lacks one). Raises Refused if a (subset, image_id) stands twice.
    """
    twice = images[images.duplicated(["subset", "image_id"])]
    if len(twice):
        subset, image = twice.subset.iloc[0], twice.image_id.iloc[0]
        raise Refused(f"Image {image[:12]} stands twice in subset {subset}; make the test table again.")
    joined = images.filter(items=list(CARRIED)).reset_index(drop=True)
    reasons = [images["reason"].fillna("").tolist() if "reason" in images else [""] * len(images)]
    for name, scores in tables.items():
        rows = scores.set_index("image_id")[["score", "reason"]].reindex(joined.image_id)
        joined[f"{name}_score"] = rows.score.to_numpy(dtype=np.float64)
        reason = f"{name}: " + rows.reason.astype("str").fillna("not in its score table")
        reasons.append(reason.where(rows.score.isna(), "").tolist())
    joined["reason"] = ["; ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*reasons, strict=True)]
    return joined


def columns(names: Sequence[str]) -> list[str]:
    """The columns that hold the scores of the branches."""
    return [f"{name}_score" for name in names]


def names(joined: pd.DataFrame) -> list[str]:
    """The branches whose scores a joined or fused table holds, in order."""
    return [column.removesuffix("_score") for column in joined if column.endswith("_score") and column != FUSED]


def reason(reasons: Mapping[str | None, str], names: Sequence[str]) -> str:
    """The `reason` of one image from that of each branch, and of the image itself under None: 'vlm: ...; expert: ...'.

    What all branches, `names`, say alike is about the image.
    """
    if len(set(reasons.values())) == 1 and set(names) <= set(reasons):
        return next(iter(reasons.values()))
    return "; ".join(text if branch is None else f"{branch}: {text}" for branch, text in reasons.items())


def fuse(joined: pd.DataFrame, fusion: rules.Fusion, names: Sequence[str]) -> pd.DataFrame:
    """`joined` with fused_score (float64), verdict (Int8 0/1) and fired (see rules.fired).

    An image that lacks any branch's score gets no fused score and no verdict under any rule, `or` included: a branch
    that has not looked has not said real. fired then names the branches that are above their thresholds, if any are.
    """
    scores, whole = joined[columns(names)].to_numpy(dtype=np.float64), scored(joined, names)
    fused = joined.assign(fused_score=np.nan, verdict=pd.array([pd.NA] * len(joined), dtype="Int8"))
    fused.loc[whole, "verdict"], fused.loc[whole, FUSED] = fusion(scores[whole])
    return fused.assign(fired=rules.fired(scores, fusion.thresholds, names))


def scored(joined: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """True for the rows that have the scores of all branches."""
    return pd.Series(joined[columns(names)].notna().to_numpy().all(axis=1), joined.index)


def missing(joined: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows that cannot be fused, with the reason; columns subset, image_id, label, path, scores, reason."""
    shown = ["subset", "image_id", "label", "path", *columns(names), "reason"]
    return joined.loc[~scored(joined, names), [name for name in shown if name in joined]].reset_index(drop=True)
