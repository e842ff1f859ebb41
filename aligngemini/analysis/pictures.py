"""Contact sheets as HTML with the pictures inside, so that they stay in an executed notebook and in the
report."""

import base64
import html
import io
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from IPython.display import HTML
from PIL import Image

from aligngemini.images import decode

SIDE = 168  # pixels; a small picture is enlarged by whole factors with its pixels left square
GREY = "#6B7480"
SHEET = "display:flex;flex-wrap:wrap;gap:14px 12px;margin:6px 0 14px;font:13px/1.35 Inter,'Segoe UI',Arial,sans-serif"
LOST = (
    "display:flex;align-items:center;justify-content:center;text-align:center;background:#F4F6F8;"
    "border:1px dashed #AEB6C0;box-sizing:border-box;padding:8px;overflow:hidden"
)


def sheet(rows: pd.DataFrame, caption: str | Callable = "image_id", side: int = SIDE) -> HTML:
    """Pictures of table rows in a wrapping sheet; `rows` needs the column path.

    `caption` is a column name or a function of a row (Series) giving the text beneath; line breaks are kept
    and everything else is shown as written. A file that cannot be shown leaves a card saying so.
    """
    cards = [_card([(row.path, "")], _text(row, caption), side) for _, row in rows.iterrows()]
    return HTML(_sheet(cards))


def pairs(
    rows: pd.DataFrame,
    left: str,
    right: str,
    caption: str | Callable = "",
    names: tuple[str, str] = ("", ""),
    side: int = SIDE,
) -> HTML:
    """Two pictures side by side for each row, from the path columns `left` and `right`, with `names` above
    them."""
    cards = [
        _card([(row[left], names[0]), (row[right], names[1])], _text(row, caption), side) for _, row in rows.iterrows()
    ]
    return HTML(_sheet(cards))


def strip(arrays: Iterable[np.ndarray], names: Iterable[str], side: int = SIDE) -> HTML:
    """Arrays uint8 [H, W, 3] in a row, each with its name beneath, such as the stages of one degradation."""
    cards = [_figure(_shown(array, side), "", side, name) for array, name in zip(arrays, names, strict=True)]
    return HTML(_sheet(cards))


def flips(rows: pd.DataFrame, side: int = SIDE) -> HTML:
    """Pictures of a flips table with the truth, both scores, and which supervision is right."""
    return sheet(rows, flip_caption, side)


def truth(row) -> str:
    """'real', or 'fake' and, as far as that is known, what makes it one: 'fake, semantic, shadow'."""
    known = [row["axis"] if row["axis"] != "unknown" else "", row.get("family")]
    return ", ".join(["fake", *filter(None, known)]) if row.label else "real"


def flip_caption(row) -> str:
    """Four lines on one row of a flips table."""
    said = {0: "real", 1: "fake"}
    return (
        f"{truth(row)}\n{row.pure}: {said[int(row.pure_verdict)]} ({row.pure_score:.2f})\n"
        f"{row.other}: {said[int(row.other_verdict)]} ({row.other_score:.2f})\nright: {row.right}"
    )


def _text(row, caption: str | Callable) -> str:
    """The caption of one row."""
    return str(caption(row)) if callable(caption) else str(row[caption]) if caption else ""


def _sheet(cards: list[str]) -> str:
    """The cards in one block; says so if there are none."""
    inside = "".join(cards) or f"<span style='color:{GREY}'>No pictures to show.</span>"
    return f'<div class="pictures" style="{SHEET}">{inside}</div>'


def _card(pictures: list[tuple[str, str]], caption: str, side: int) -> str:
    """One or more pictures beside each other over one caption."""
    if len(pictures) == 1:
        return _figure(_read(str(pictures[0][0]), side), str(pictures[0][0]), side, caption)
    inner = "".join(_figure(_read(str(path), side), str(path), side, name) for path, name in pictures)
    width = side * len(pictures) + 4 * (len(pictures) - 1)
    return (
        f'<div style="width:{width}px"><div style="display:flex;gap:4px">{inner}</div>'
        f'<div style="white-space:pre-line">{html.escape(caption)}</div></div>'
    )


def _figure(data: str, path: str, side: int, caption: str) -> str:
    """One picture, or the card of one that cannot be shown, over its caption."""
    if data.startswith("data:"):
        name = html.escape(path.rpartition("/")[2])
        shown = f'<img src="{data}" alt="{name}" style="display:block;max-width:{side}px">'
    else:
        shown = f'<div style="{LOST};width:{side}px;height:{side}px;color:{GREY}">{html.escape(data)}</div>'
    return (
        f'<figure style="margin:0;width:{side}px">{shown}<figcaption style="white-space:pre-line;'
        f'overflow-wrap:anywhere;padding-top:3px">{html.escape(caption)}</figcaption></figure>'
    )


@lru_cache(maxsize=512)
def _read(path: str, side: int) -> str:
    """The picture at `path` as a data address, or a sentence if it cannot be shown."""
    try:
        return _shown(decode.read(path).rgb, side)
    except (decode.Unreadable, OSError) as error:
        return f"not shown: {getattr(error, 'strerror', None) or error}"


def _shown(rgb: np.ndarray, side: int) -> str:
    """uint8 [H, W, 3] as a data address: small pictures lossless (PNG), large ones reduced (JPEG, quality
    90)."""
    image = Image.fromarray(rgb)
    longest = max(image.size)
    if longest > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    elif side // longest > 1:
        image = image.resize([size * (side // longest) for size in image.size], Image.Resampling.NEAREST)
    form = "JPEG" if longest > 2 * side else "PNG"
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 90, "subsampling": 0} if form == "JPEG" else {"compress_level": 4}))
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
