"""Preference pairs: for each picture the right verdict with a true reason, and the wrong verdict with a false one."""

import pandas as pd
from PIL import Image

from aligngemini.images import decode

from .verdict import QUESTION, VERDICTS


def answer(verdict: int, remark: str) -> str:
    """A verdict sentence and, if there is one, its reason."""
    return f"{VERDICTS[verdict]}. {remark}".strip()


def from_remarks(rows: pd.DataFrame, reasons: str = "twin") -> pd.DataFrame:
    """Preference pairs for image-table rows: image_id, path, label, chosen, rejected.

    The chosen answer gives the picture's own remark. After the wrong verdict stands, by `reasons`, the twin's remark,
    which is false here ("twin"), the same remark ("own"), or no reason on either side ("none"). A picture without a
    twin or remarks gets bare verdicts, so that no reason is ever invented.
    """
    twins = rows.merge(rows[["pair_id", "label", "remark"]], on="pair_id", suffixes=("", "_twin"), how="left")
    twins = twins[twins.label != twins.label_twin].drop_duplicates("image_id")
    remarks = dict(zip(twins.image_id, twins.remark_twin, strict=True))
    twin = rows.image_id.map(lambda image: remarks.get(image, "")).astype(object)
    own = rows.remark.where((twin != "") & (reasons != "none"), "")
    other = twin if reasons == "twin" else own
    return pd.DataFrame({
        "image_id": rows.image_id, "path": rows.path, "label": rows.label,
        "chosen": [answer(label, text) for label, text in zip(rows.label, own, strict=True)],
        "rejected": [answer(1 - label, text) for label, text in zip(rows.label, other, strict=True)],
    })  # fmt: skip


def share_with_reason(frame: pd.DataFrame) -> float:
    """Share of preference pairs whose right verdict is followed by a reason, 0 to 1."""
    bare = [answer(label, "") for label in frame.label]
    return float((frame.chosen != bare).mean())


def dataset(frame: pd.DataFrame):
    """The pairs as a `datasets.Dataset` in TRL's conversational form; pictures are read only when a batch asks for
    them.
    """
    from datasets import Dataset

    def open_rows(rows: dict) -> dict:
        return {
            "images": [[Image.fromarray(decode.read(path).rgb)] for path in rows["path"]],
            "prompt": [[{"role": "user", "content": QUESTION}] for _ in rows["path"]],
            "chosen": [[{"role": "assistant", "content": text}] for text in rows["chosen"]],
            "rejected": [[{"role": "assistant", "content": text}] for text in rows["rejected"]],
        }

    return Dataset.from_pandas(frame[["path", "chosen", "rejected"]], preserve_index=False).with_transform(open_rows)
