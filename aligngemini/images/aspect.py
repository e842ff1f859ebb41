"""How long an image may be for its width: vision-language models of the Qwen family take none beyond a limit."""

import pandas as pd

LONGEST = 200  # long side over short side, as transformers has it for Qwen2-VL and its successors


def reason(width: int, height: int) -> str:
    """Why a VLM cannot look at an image of this size, "" if it can."""
    if max(width, height) <= LONGEST * min(width, height):
        return ""
    return f"the VLM cannot look at it: aspect ratio above {LONGEST} ({width} x {height} px)"


def too_long(images: pd.DataFrame) -> pd.DataFrame:
    """The readable rows of an image table that a VLM cannot look at, with the reason."""
    told = [reason(*size) for size in zip(images["width"], images["height"], strict=True)]
    long = images.assign(reason=told)
    return long[(images["reason"] == "") & (long["reason"] != "")]
