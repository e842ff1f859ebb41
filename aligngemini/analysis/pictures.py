"""Contact sheets as HTML with the images inside, so that they stay in an executed notebook and in the report."""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML
from jinja2 import Environment
from PIL import Image

from aligngemini.analysis import tables
from aligngemini.images import decode, degrade

SIDE = 168  # pixels; a small image is enlarged by whole factors with its pixels left square
GAIN = 8  # of a difference: ours
COUNT = 2  # images of each kind
DECADES = 5  # of power that a spectrum shows, from black to white
KINDS = {  # axis -> what such fakes are, and what stands beside one
    "semantic": ("Semantic fakes: the scene is impossible, the pixels are those of a camera", "its real twin"),
    "pixel": ("Pixel fakes: the scene is possible, the pixels went through a generator", "its photograph"),
}
TEMPLATE = Environment(autoescape=True).from_string(
    Path(__file__).with_name("sheet.html.j2").read_text(encoding="utf-8")
)


def sheet(rows: pd.DataFrame, caption: str | Callable = "image_id", side: int = SIDE) -> HTML:
    """Images of table rows in a wrapping sheet; `rows` needs the column path.

    `caption` is a column name or a function of a row (Series) giving the text beneath; line breaks are kept
    and everything else is shown as written. A file that cannot be shown leaves a card saying so.
    """
    return pairs(rows, "path", "", caption, side=side)


def pairs(
    rows: pd.DataFrame,
    left: str,
    right: str,
    caption: str | Callable = "",
    names: tuple[str, str] = ("", ""),
    side: int = SIDE,
) -> HTML:
    """Two images side by side for each row, from the path columns `left` and `right`, with `names` beneath them; the
    left one alone where the other path is "".
    """
    cards = []
    for _, row in rows.iterrows():
        paths = [(str(row[column]), name) for column, name in zip((left, right), names, strict=True) if column]
        paths = paths[:1] + [(path, name) for path, name in paths[1:] if path]
        text = caption(row) if callable(caption) else row[caption] if caption else ""
        cards.append(([(_read(path, side), path.rpartition("/")[2], name) for path, name in paths], str(text)))
    return HTML(TEMPLATE.render(cards=cards, side=side))


def strip(arrays: Iterable[np.ndarray], names: Iterable[str], side: int = SIDE) -> HTML:
    """Arrays uint8 [H, W, 3] in a row, each with its name beneath, such as the stages of one degradation."""
    cards = [([(_encoded(array, side), name, "")], name) for array, name in zip(arrays, names, strict=True)]
    return HTML(TEMPLATE.render(cards=cards, side=side))


def kinds(verdicts: pd.DataFrame) -> HTML:
    """Of the first benchmark COUNT real images, as many semantic fakes beside their real twins, and as many pixel
    fakes beside their photographs; `verdicts` is what tables.judged gives. A fake without a pair is shown alone; one
    with a violation has its family beneath, and the sentence of the image table that says it."""
    rows = tables.first(verdicts).drop_duplicates("image_id")
    texts = {name: rows.get(name, "") for name in ("pair_id", "family", "remark")}
    rows = rows.assign(**texts).fillna(dict.fromkeys(texts, ""))
    reals = rows[rows.label == 0]
    twin = reals[reals.pair_id != ""].drop_duplicates("pair_id").set_index("pair_id").path
    shown = {"Real": [([(path, "real")], "") for path in reals.path.iloc[::-1].head(COUNT)]}
    for axis, (heading, beside) in KINDS.items():
        fakes = rows[(rows.label == 1) & (rows["axis"] == axis)]
        fakes = fakes.drop_duplicates("family") if fakes.family.nunique() > 1 else fakes
        fakes = fakes.assign(twin=fakes.pair_id.map(twin)).sort_values("twin", kind="stable")
        for row in fakes.head(COUNT).itertuples():
            images = [(row.twin, beside)] if isinstance(row.twin, str) else []
            card = [*images, (row.path, f"{axis} fake")], row.family and f"what is wrong: {row.family}. {row.remark}"
            shown.setdefault(heading, []).append(card)
    parts = []
    for heading, found in shown.items():
        cards = [([(_read(path, SIDE), name, name) for path, name in images], text) for images, text in found]
        parts.append(f"<h3>{heading}</h3>{TEMPLATE.render(cards=cards, side=SIDE)}")
    return HTML("".join(parts))


def traces(left: np.ndarray, right: np.ndarray, names: tuple[str, str]) -> HTML:
    """Two versions uint8 [H, W, 3] of one image, the middle of both enlarged, their difference, and both spectra."""
    arrays = {each: array for each, array in zip(names, (left, right), strict=True)}
    arrays |= {f"{each}, enlarged": zoom(array) for each, array in zip(names, (left, right), strict=True)}
    arrays[f"difference × {GAIN}"] = difference(left, right)
    arrays |= {f"{each}, spectrum": spectrum(array) for each, array in zip(names, (left, right), strict=True)}
    return strip(arrays.values(), arrays)


def chain(left: np.ndarray, right: np.ndarray, ranges: Mapping[str, Sequence[float]]) -> HTML:
    """What is left of the difference of two versions uint8 [H, W, 3] of one image behind each change of the degradation
    alone, in the middle of its range, and behind all of them: the right one, the difference, and its spectrum.
    """
    nothing, whole = (degrade.middle(ranges, share) for share in (0, 1))
    steps = {name: replace(nothing, **{name: getattr(whole, name)}) for name in degrade.DRAWN}
    cards = []
    for name, values in {"nothing": nothing, **steps, "all of them": whole}.items():
        first, second = degrade.degrade(left, values), degrade.degrade(right, replace(values, grain=1))
        shown = {"image": second, "difference": difference(first, second), "spectrum": spectrum(second)}
        at = getattr(whole, name, "")
        images = [(_encoded(array, SIDE), f"{what} behind {name}", what) for what, array in shown.items()]
        cards.append((images, f"{name} {at:.2g}" if at else name))
    return HTML(TEMPLATE.render(cards=cards, side=SIDE))


def flips(rows: pd.DataFrame, count: int) -> HTML:
    """Of a flips table the first `count` scenes of each model with the truth, both scores, and which supervision is
    right.
    """
    return sheet(one_of_each_scene(rows).groupby("model", sort=False).head(count), flip_caption)


def one_of_each_scene(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a flips table without further images of the same pair, of the same two models."""
    pair = rows.get("pair_id", pd.Series("", rows.index))
    scene = pair.where(pair != "", rows.image_id)
    return rows[~rows.assign(scene=scene).duplicated(["pure", "other", "scene"])]


def truth(row) -> str:
    """'real', or 'fake' and, as far as that is known, what makes it one: 'fake, semantic, shadow'."""
    parts = [row["axis"] if row["axis"] != "unknown" else "", row.get("family")]
    return ", ".join(["fake", *filter(None, parts)]) if row.label else "real"


def flip_caption(row) -> str:
    """Four lines on one row of a flips table."""
    verdicts = [("real", "fake")[int(row[f"{side}_verdict"])] for side in ("pure", "other")]
    return (
        f"{truth(row)}\n{row.pure}: {verdicts[0]} ({row.pure_score:.2f})\n"
        f"{row.other}: {verdicts[1]} ({row.other_score:.2f})\nright: {row.right}"
    )


@lru_cache(maxsize=512)
def _read(path: str, side: int) -> str:
    """The image at `path` as a data address, or a sentence if it cannot be shown."""
    try:
        rgb, data = decode.read(path).rgb, Path(path).read_bytes()
        plain = data.startswith(b"\xff\xd8") and b"Exif\0" not in data  # a JPEG that hides nothing is shown as it is
        return (
            f"data:image/jpeg;base64,{_text(data)}"
            if plain and side / 2 < max(rgb.shape) <= side
            else _encoded(rgb, side)
        )
    except (decode.Unreadable, OSError) as error:
        return f"not shown: {getattr(error, 'strerror', None) or error}"


def _encoded(rgb: np.ndarray, side: int) -> str:
    """uint8 [H, W, 3] as a data address: small images lossless (PNG), large ones reduced (JPEG, quality 90)."""
    image = Image.fromarray(rgb)
    longest = max(image.size)
    if longest > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    elif side // longest > 1:
        image = image.resize([size * (side // longest) for size in image.size], Image.Resampling.NEAREST)
    form = "JPEG" if longest > 2 * side else "PNG"
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 90, "subsampling": 0} if form == "JPEG" else {"compress_level": 4}))
    return f"data:image/{form.lower()};base64,{_text(buffer.getvalue())}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def difference(rgb: np.ndarray, other: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """`other` less `rgb`, both uint8 [H, W, 3], times `gain` around middle grey; uint8 of the same shape."""
    return (128 + gain * (other.astype(np.float32) - rgb)).clip(0, 255).astype(np.uint8)


def spectrum(rgb: np.ndarray) -> np.ndarray:
    """The power of the brightness of uint8 [H, W, 3] by frequency, logarithmic, low frequencies in the middle; uint8
    [H, W, 3].
    """
    grey = rgb.astype(np.float32).mean(axis=2)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))  # else the borders are a bright cross
    power = np.log10(np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window))) ** 2 + 1e-3)
    shade = (255 * (1 - (power.max() - power) / (2 * DECADES))).clip(0, 255)
    return np.repeat(shade[..., None], 3, axis=2).astype(np.uint8)


def zoom(rgb: np.ndarray, share: float = 0.25) -> np.ndarray:
    """The window in the middle of uint8 [H, W, 3] whose sides are `share` of its sides."""
    height, width = (max(1, round(side * share)) for side in rgb.shape[:2])
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]
