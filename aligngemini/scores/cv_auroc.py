"""How well features guess the label of images: the cross-validated AUROC of a small model."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from aligngemini.scores import auroc_interval

LEAST = 10  # groups of each class: fewer tell nothing
FOLDS = 5


class Auroc(NamedTuple):
    """An AUROC with the ends of its 95 % interval, which takes rows of one pair_id together; NaN if it is unknown."""

    auroc: float
    low: float
    high: float


UNKNOWN = Auroc(float("nan"), float("nan"), float("nan"))


def logreg_cv_auroc(features: np.ndarray, rows: pd.DataFrame) -> Auroc:
    """`cv_auroc` of a logistic regression on standardised features, for many features at once."""
    return cv_auroc(logreg(), features, rows)


def logreg():
    """A logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def tree_cv_auroc(features: np.ndarray, rows: pd.DataFrame) -> Auroc:
    """`cv_auroc` of a small decision tree, for a single cue; .5 where all rows have the same features."""
    tree = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=3, class_weight="balanced", random_state=0)
    return cv_auroc(tree, features, rows)


def cv_auroc(model, features: np.ndarray, rows: pd.DataFrame) -> Auroc:
    """AUROC of guessing the label (0, 1) of `rows` from `features` [rows, ...] with a classifier of scikit-learn.

    Rows of one pair_id stay in one fold. About .5: the features say nothing. NaN: fewer than LEAST groups in a class.
    """
    if groups_per_class(rows) < LEAST:
        return UNKNOWN
    scores = np.zeros((len(rows), 2))
    if features.size and (features != features[0]).any():
        folds = {"groups": rows["pair_id"], "cv": GroupKFold(FOLDS), "method": "predict_proba"}
        scores = np.asarray(cross_val_predict(model, features, rows["label"].to_numpy(), **folds))
    area = auroc_interval.area(rows["label"], scores[:, 1], rows["pair_id"], 0.95)
    return Auroc(area.value, area.low, area.high)


def groups_per_class(rows: pd.DataFrame) -> int:
    """Number of groups (pair_id) of the class that has fewer of them; 0 where a class is absent."""
    return min(rows.loc[rows["label"] == label, "pair_id"].nunique(dropna=False) for label in (0, 1))
