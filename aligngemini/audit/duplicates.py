"""Which images stand in a set more than once, by content or by looks, and which also stand in training."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from . import perceptual_hash

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
    names = images["pair_id"].where(images["pair_id"] != "", images["image_id"])
    return pd.Series(pd.factorize(names)[0], images.index)


def _of_equal(images: pd.DataFrame, others: pd.DataFrame, column: str) -> pd.Series:
    """Path of the last of `others` with the same value in `column`, NaN without one."""
    return images[column].map(others.drop_duplicates(column, keep="last").set_index(column)["path"])


def _similar(images: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Path of one of `others` of another group that looks like an image, NaN without one or for a near-constant one."""
    images, others = (rows[~rows["constant"]] for rows in (images, others))
    sides = [(rows["thumbnails"], rows["group"].to_numpy()) for rows in (images, others)]
    places = perceptual_hash.find_similar(*sides[0], *sides[1])
    return pd.Series(others["path"].reset_index(drop=True).reindex(places).to_numpy(), images.index)
