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
    groups, tested = _groups(images), images["split"] != "train"
    reals, fakes = (images[images["label"] == label] for label in (0, 1))
    copies = [*SUBSET, "label", "image_id"]
    first = images.groupby(copies, dropna=False)["path"].transform("first")
    found = {
        "duplicates": first.where(images.duplicated(copies), ""),
        "two labels": pd.concat([_of_equal(reals, fakes, "image_id"), _of_equal(fakes, reals, "image_id")]),
        "near": _similar_in_subsets(images, groups, same_class=True),
        "near other class": _similar_in_subsets(images, groups, same_class=False),
        "in training": _of_equal(images[tested], training, "image_id"),
        "origin in training": _of_equal(images[tested], training[training["pair_id"] != ""], "pair_id"),
    }
    found = pd.DataFrame(found, images.index, dtype=object).fillna("")
    new = images[tested & (found["in training"] == "") & (found["origin in training"] == "")]
    places = pd.Series(range(len(training)), training.index)  # no image is of the group of one in training
    near = _similar(new, pd.Series(-1, new.index), training, places)
    return found.assign(**{"near training": near.astype(object)}).fillna("")


def group_ids(images: pd.DataFrame, relations: pd.DataFrame) -> pd.Series:
    """Names of what belongs together, aligned with `images`: one pair, one content, or INSIDE `relations`."""
    groups = _groups(images)
    other = relations[INSIDE].stack()
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


def _similar_in_subsets(images: pd.DataFrame, groups: pd.Series, same_class: bool) -> pd.Series:
    """`_similar` images of the same class, or of the other class, of the same subset."""
    found = [
        _similar(inside[is_own], groups, inside[is_own == same_class], groups)
        for _, inside in images.groupby(SUBSET, sort=False, dropna=False)
        for is_own in (inside["label"] == 0, inside["label"] == 1)
    ]
    return pd.concat(found)


def _similar(images: pd.DataFrame, groups: pd.Series, others: pd.DataFrame, other_groups: pd.Series) -> pd.Series:
    """Path of one of `others` of another group that looks like an image, NaN without one or for a near-constant one."""
    images, others = (rows[~rows["constant"]] for rows in (images, others))
    groups, other_groups = groups[images.index].to_numpy(), other_groups[others.index].to_numpy()
    near = perceptual_hash.find_similar(images["thumbnails"], groups, others["thumbnails"], other_groups)
    return pd.Series(others.groupby(other_groups)["path"].first().reindex(near).to_numpy(), images.index)
