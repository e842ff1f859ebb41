"""What stands in a set more than once, by content or by looks, and what of it also stands in training."""

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
PLACE = ["benchmark", "subset"]


def found(rows: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """A column of `rows` for each of RELATIONS: the path of the other picture, or "".

    Both have path, label, image_id, pair_id and looks; all are usable. Duplicates and likeness are looked for within
    a subset, two labels in the whole set. Pictures of one pair are no likeness, nor are near-constant ones; those
    that train are compared with nothing.
    """
    rows = rows.reset_index(drop=True)
    place = rows.groupby(PLACE, sort=False).ngroup()
    told = {
        "duplicates": _earlier(rows, place),
        "two labels": _twofold(rows),
        "near": _near(rows, place, same=True),
        "near other class": _near(rows, place, same=False),
        "in training": _met(rows, training, "image_id"),
        "origin in training": _met(rows, training, "pair_id"),
        "near training": _near_training(rows, training),
    }
    known = (told["in training"] != "") | (told["origin in training"] != "")
    told["near training"] = told["near training"].mask(known, "")
    return pd.DataFrame(told)


def kin(rows: pd.DataFrame, copies: pd.DataFrame) -> pd.Series:
    """Names of what belongs together, aligned with `rows`: one pair, one content, or alike by `copies`."""
    codes = _codes(rows)
    path = pd.Series(codes, rows["path"].to_numpy())
    path = path[~path.index.duplicated()]
    edges = [(codes[other.to_numpy() != ""], path[other[other != ""]].to_numpy()) for _, other in copies.items()]
    ends = [np.concatenate(side) for side in zip(*edges, strict=True)]
    many = codes.max(initial=-1) + 1
    graph = coo_matrix((np.ones(len(ends[0])), ends), (many, many))
    return pd.Series(connected_components(graph, directed=False)[1][codes], rows.index).astype(str)


def _codes(rows: pd.DataFrame) -> np.ndarray:
    """Numbers from 0 on: equal for pictures of one pair, or, without a pair, of one content."""
    return pd.factorize(rows["pair_id"].where(rows["pair_id"] != "", rows["image_id"]))[0]


def _earlier(rows: pd.DataFrame, place: pd.Series) -> pd.Series:
    first = rows.groupby([place, "label", "image_id"])["path"].transform("first")
    again = rows.assign(place=place).duplicated(["place", "label", "image_id"])
    return first.where(again, "")


def _twofold(rows: pd.DataFrame) -> pd.Series:
    sides = [_paths(rows[rows["label"] == label], "image_id") for label in (1, 0)]
    found = [sides[label].get(image, "") for label, image in zip(rows["label"], rows["image_id"], strict=True)]
    return pd.Series(found, rows.index, dtype=object)


def _paths(rows: pd.DataFrame, column: str) -> dict[str, str]:
    """Value of `column` -> path of a picture that has it."""
    return dict(zip(rows[column], rows["path"], strict=True))


def _near(rows: pd.DataFrame, place: pd.Series, same: bool) -> pd.Series:
    codes, result = pd.Series(_codes(rows), rows.index), pd.Series("", rows.index, dtype=object)
    clear = rows[~rows["constant"]]
    for _, inside in clear.groupby(place[clear.index], sort=False):
        for label in (0, 1):
            mine = inside[inside["label"] == label]
            others = inside[inside["label"] == (label if same else 1 - label)]
            near = perceptual_hash.alike(
                _looks(mine), codes[mine.index].to_numpy(), _looks(others), codes[others.index].to_numpy()
            )
            paths = others.groupby(codes[others.index])["path"].first()
            result[mine.index] = paths.reindex(near).fillna("").to_numpy()
    return result


def _looks(rows: pd.DataFrame) -> np.ndarray:
    """uint8 [n, 1072] of rows that decode."""
    return perceptual_hash.stacked(rows["looks"].tolist())


def _met(rows: pd.DataFrame, training: pd.DataFrame, column: str) -> pd.Series:
    """Path of a training picture of the same `column`, for rows that do not train themselves."""
    known = _paths(training[training[column] != ""], column)
    found = pd.Series([known.get(name, "") for name in rows[column]], rows.index, dtype=object)
    return found.where(rows["split"] != "train", "")


def _near_training(rows: pd.DataFrame, training: pd.DataFrame) -> pd.Series:
    result = pd.Series("", rows.index, dtype=object)
    mine = rows[~rows["constant"] & (rows["split"] != "train")]
    others = training[~training["constant"]]
    kin = -np.ones(len(mine), np.int64)  # of no training picture
    near = perceptual_hash.alike(_looks(mine), kin, _looks(others), np.arange(len(others)))
    result[mine.index] = np.where(near >= 0, others["path"].to_numpy(object)[near] if len(others) else "", "")
    return result
