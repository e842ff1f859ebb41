"""The score table: one row per distinct image and branch, p(fake) in [0, 1] or NaN with a reason."""

from pathlib import Path

import numpy as np
import pandas as pd

from aligngemini.core.params import Refused

COLUMNS = ("image_id", "branch", "supervision", "score", "reason")


def make(image_id, score, branch: str, supervision: str, reason=None, **more) -> pd.DataFrame:
    """Build a checked score table from parallel sequences of length n.

    `score` holds floats in [0, 1], NaN where there is none; `reason` (default: all '') says why. Further
    columns, such as `label` of a validation table, are given by name. Raises Refused if a row breaks the
    rules of `check`.
    """
    names = pd.Series(list(image_id), dtype="str")  # also where there are none
    frame = pd.DataFrame({"image_id": names, "branch": branch, "supervision": supervision})
    frame["score"] = np.asarray(score, dtype=np.float64)
    frame["reason"] = [""] * len(frame) if reason is None else list(reason)
    return check(frame.assign(**more))


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` if it is a score table; raise Refused naming the first rule that it breaks."""
    absent = [name for name in COLUMNS if name not in frame]
    if absent:
        raise Refused(f"A score table needs the columns {', '.join(absent)}; score the images again.")
    for column in ("branch", "supervision"):
        found = frame[column].unique()
        if len(found) > 1:
            raise Refused(f"A score table has one {column}, found {', '.join(map(str, found))}; keep one per file.")
    if len(frame) and not frame["branch"].iloc[0]:
        raise Refused("A score table names the branch whose scores it holds, this one is empty there; name it.")
    _check_rows(frame)
    return frame


def _check_rows(frame: pd.DataFrame) -> None:
    """Rows are unique, scores are probabilities, and a score is absent exactly where a reason stands."""
    twice = frame.image_id[frame.image_id.duplicated()]
    if len(twice):
        raise Refused(f"Image {twice.iloc[0][:12]} has two scores; write one row per distinct image.")
    outside = frame[~frame.score.between(0, 1) & frame.score.notna()]
    if len(outside):
        raise Refused(
            f"Image {outside.image_id.iloc[0][:12]} has the score {outside.score.iloc[0]}, outside [0, 1]; "
            "give a probability of being fake."
        )
    unsaid = frame[frame.score.isna() != (frame.reason.fillna("") != "")]
    if len(unsaid):
        raise Refused(
            f"Image {unsaid.image_id.iloc[0][:12]} must have either a score or a reason for having none; "
            "give exactly one."
        )


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Check `frame` and write it as Parquet at `path`; return the path."""
    check(frame).astype({"score": "float64"}).to_parquet(path, index=False)
    return Path(path)


def load(path: Path) -> pd.DataFrame:
    """Read and check a score table; raise Refused if the file is absent or is not one."""
    if not Path(path).is_file():
        raise Refused(f"There is no score table {path}; run the notebook that writes it first.")
    return check(pd.read_parquet(path))


def attach(images: pd.DataFrame, scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Rows of an image table with score, verdict (Int8: 1 strictly above `threshold`, NA without a score) and
    reason.
    """
    told = scores.set_index("image_id")[["score", "reason"]].reindex(images.image_id)
    verdict = pd.array(told.score.gt(threshold), dtype="Int8")
    verdict[told.score.isna().to_numpy()] = pd.NA
    reason = np.where(told.reason.isna(), "not in the score table", told.reason)
    return images.assign(score=told.score.to_numpy(), verdict=verdict, reason=reason)


def labelled(scores: pd.DataFrame, images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels (int) and scores (float64) of the images that have a score, in the order of `scores`."""
    label = scores.image_id.map(images.drop_duplicates("image_id").set_index("image_id").label)
    there = scores.score.notna() & label.notna()
    return label[there].astype(int).to_numpy(), scores.score[there].to_numpy()


def missing(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows without a score, with their reasons: columns image_id, branch, reason."""
    return frame.loc[frame.score.isna(), ["image_id", "branch", "reason"]].reset_index(drop=True)
