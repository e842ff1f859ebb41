"""Which images stand in a set more than once, by content or by looks, and which also stand in training.

Images look alike if they are near by a 64-bit perceptual hash, which a comparison of thumbnails confirms.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from aligngemini.scores import intervals

RELATIONS = {
    "duplicates": "have the content of another of their class",
    "two labels": "stand among the reals and among the fakes",
    "near": "look like another of their class",
    "near other class": "look like one of the other class",
    "in training": "are also in training",
    "origin in training": "have their origin (pair) in training",
    "near training": "look like one in training",
}
INSIDE = list(RELATIONS)[:4]  # between images of one set
SUBSET = ["benchmark", "subset"]
SIDE, COLOUR = 32, 4  # px: sides of the gray and of the coloured thumbnail
FAR = 4  # bits of 64 in which hashes of images that look alike may differ; our choice
# The limits of the thumbnails, our choice: on real photographs, pages of text and product shots that were recompressed
# (JPEG of quality 30) or halved, the error stays below .17; different pages of text with the same hash begin at .34.
CLOSE = 0.2  # root mean square difference of the gray thumbnails, as a share of their own deviation
SHADE = 4.0  # of 255: root mean square difference of the coloured thumbnails
COMPARED = 1000  # images with a hash near to that of one image, whose thumbnails are compared with its own


def find(images: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """A column for each of RELATIONS: the path of the other image, or ""; rows as in `images`.

    Both have path, label, split, image_id, pair_id, constant and thumbnails; all are usable, and their indices are
    unique. Duplicates and similar images are looked for within a subset, two labels in the whole set. Images of one
    pair are not called similar, nor are near-constant ones; images that train are compared with no training image.
    """
    images = images.assign(group=_groups(images))
    tested, pairs = images[images["split"] != "train"], training[training["pair_id"] != ""]
    classes = [(images[images["label"] == label], images[images["label"] != label]) for label in (0, 1)]
    subsets = [subset for _, subset in images.groupby(SUBSET, sort=False, dropna=False)]
    sides = [(each[each["label"] == label], each[each["label"] != label]) for each in subsets for label in (0, 1)]
    copies = [*SUBSET, "label", "image_id"]
    first = images.groupby(copies, dropna=False)["path"].transform("first")
    found = {
        "duplicates": first.where(images.duplicated(copies), ""),
        "two labels": pd.concat([_of_equal(own, other, "image_id") for own, other in classes]),
        "near": pd.concat([_similar(own, own) for own, _ in sides]),
        "near other class": pd.concat([_similar(own, other) for own, other in sides]),
        "in training": _of_equal(tested, training, "image_id"),
        "origin in training": _of_equal(tested, pairs, "pair_id"),
    }
    found = pd.DataFrame(found, images.index, dtype=object).fillna("")
    new = tested[(found.loc[tested.index, ["in training", "origin in training"]] == "").all(axis=1)]
    near = _similar(new.assign(group=-1), training.assign(group=0))
    return found.assign(**{"near training": near.astype(object)}).fillna("")


def group_ids(images: pd.DataFrame) -> pd.Series:
    """Names of what belongs together, aligned with `images`: one pair, one content, or a relation INSIDE the set."""
    groups = _groups(images)
    other = images[INSIDE].stack()
    other = other[other != ""]
    of_path = groups.groupby(images["path"]).first()
    edges = groups[other.index.get_level_values(0)].to_numpy(), of_path[other].to_numpy()
    graph = coo_matrix((np.ones(len(other)), edges), (len(images), len(images)))
    return pd.Series(connected_components(graph, directed=False)[1][groups], images.index).astype(str)


def _groups(images: pd.DataFrame) -> pd.Series:
    """Numbers from 0 on: equal for images of one pair, or, without a pair, of one content."""
    return pd.Series(pd.factorize(intervals.groups(images))[0], images.index)


def _of_equal(images: pd.DataFrame, others: pd.DataFrame, column: str) -> pd.Series:
    """Path of the last of `others` with the same value in `column`, NaN without one."""
    return images[column].map(others.drop_duplicates(column, keep="last").set_index(column)["path"])


def _similar(images: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Path of one of `others` of another group that looks like an image, NaN without one or for a near-constant one."""
    images, others = (rows[~rows["constant"]] for rows in (images, others))
    sides = [(rows["thumbnails"], rows["group"].to_numpy()) for rows in (images, others)]
    places = find_similar(*sides[0], *sides[1])
    return pd.Series(others["path"].reset_index(drop=True).reindex(places).to_numpy(), images.index)


def thumbnails(rgb: np.ndarray) -> bytes:
    """What is compared of uint8 [H, W, 3]: uint8 [32, 32] of its luminance, then uint8 [4, 4, 3] of its colours."""
    image = Image.fromarray(rgb)
    gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return gray.tobytes() + image.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()


def hashes(stacked: np.ndarray) -> np.ndarray:
    """uint64 [n] of `thumbnails`, uint8 [n, 1072]: signs of the 64 lowest cosine coefficients against their median.

    They survive compression and another size, not cropping; of an image with little structure not even the former.
    """
    gray = stacked[:, : SIDE**2].reshape(-1, SIDE, SIDE).astype(np.float32)
    low = np.asarray(dctn(gray, axes=(1, 2), norm="ortho"))[:, :8, :8].reshape(len(stacked), 64)
    return np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1).view(">u8")[:, 0].astype(np.uint64)


def find_similar(
    images: Iterable[bytes], groups: np.ndarray, others: Iterable[bytes], other_groups: np.ndarray
) -> np.ndarray:
    """For each of n images, by its `thumbnails`, the place of one of m `others` that looks like it, or -1; int64 [n].

    `groups` [n] and `other_groups` [m] say what belongs together: images of one group are not compared.
    """
    found = np.full(len(groups), -1)
    if not len(groups) or not len(other_groups):
        return found
    first, second = (np.frombuffer(b"".join(seen), np.uint8).reshape(-1, SIDE**2 + 48) for seen in (images, others))
    second_hashes = hashes(second)
    for place, code in enumerate(hashes(first)):
        near = np.bitwise_count(second_hashes ^ code) <= FAR
        near = np.flatnonzero(near & (other_groups != groups[place]))[:COMPARED]
        close = near[are_close(first[place], second[near])]
        found[place] = close[0] if len(close) else -1
    return found


def are_close(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bool [n]: whether thumbnails, uint8 [1072] and [n, 1072], are close in structure and in colour."""
    one, others = one.astype(np.float32), others.astype(np.float32)
    grays = [seen[..., : SIDE**2] - seen[..., : SIDE**2].mean(-1, keepdims=True) for seen in (one, others)]
    deviation = ((grays[0] ** 2).mean() + (grays[1] ** 2).mean(-1)) / 2
    structure = ((grays[0] - grays[1]) ** 2).mean(-1) <= CLOSE**2 * deviation
    return structure & (((one - others)[:, SIDE**2 :] ** 2).mean(-1) <= SHADE**2)
