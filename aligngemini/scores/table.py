"""The score table: one row per distinct image and branch, p(fake) in [0, 1] or NaN with a reason."""

from pathlib import Path

import numpy as np
import pandas as pd

from aligngemini.core import values
from aligngemini.core.params import Refused

KINDS = {"image_id": "str", "branch": "str", "supervision": "str", "score": "float64", "reason": "str"}
COLUMNS = tuple(KINDS)


def make(image_id, score, branch: str, supervision: str, reason=None) -> pd.DataFrame:
    """Build a checked score table from parallel sequences of length n.

    `score` holds floats in [0, 1], NaN where there is none; `reason` (default: all '') says why. Raises Refused if a
    row breaks the rules of `check`.
    """
    names = pd.Series(list(image_id), dtype="str")  # also where there are none
    frame = pd.DataFrame({"image_id": names, "branch": branch, "supervision": supervision})
    frame["score"] = np.asarray(score, dtype=np.float64)
    frame["reason"] = [""] * len(frame) if reason is None else list(reason)
    return check(frame)


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` if it is a score table; raise Refused naming the first rule that it breaks."""
    if absent := [name for name in COLUMNS if name not in frame]:
        raise Refused(f"A score table lacks the columns {', '.join(absent)}; score the images again.")
    for column in ("branch", "supervision"):
        if len(several := frame[column].unique()) > 1:
            raise Refused(f"A score table has one {column}, found {', '.join(map(str, several))}; keep one per file.")
    if len(frame) and not frame["branch"].iloc[0]:
        raise Refused("A score table names the branch whose scores it holds, this one is empty there; name it.")
    rules = {
        "has two scores; write one row per distinct image.": frame.image_id.duplicated(),
        "has a score outside [0, 1]; give a probability of being fake.": ~frame.score.between(0, 1)
        & frame.score.notna(),
        "must have either a score or a reason for having none; give exactly one.": frame.score.isna()
        != (frame.reason.fillna("") != ""),
    }
    for words, broken in rules.items():
        if broken.any():
            raise Refused(f"Image {frame.image_id[broken].iloc[0][:12]} {words}")
    return frame


def load(path: Path) -> pd.DataFrame:
    """Read and check a score table; raise Refused if the file is absent or is not one."""
    return check(values.read(path, "score table", kinds=KINDS))


def attach(images: pd.DataFrame, scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Rows of an image table with score, verdict (Int8, see metrics.verdicts) and reason."""
    rows = scores.set_index("image_id")[["score", "reason"]].reindex(images.image_id)
    reason = rows.reason.astype("str").fillna("not in the score table").to_numpy()
    from aligngemini.scores import metrics  # brings scikit-learn, which takes a second

    verdict = metrics.verdicts(rows.score, threshold)
    return images.assign(score=rows.score.to_numpy(), verdict=verdict, reason=reason)


def labelled(scores: pd.DataFrame, images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels (int) and scores (float64) of the images that have a score, in the order of `scores`."""
    label = scores.image_id.map(images.drop_duplicates("image_id").set_index("image_id").label)
    rated = scores.score.notna() & label.notna()
    return label[rated].astype(int).to_numpy(), scores.score[rated].to_numpy()
