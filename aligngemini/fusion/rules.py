"""The rules that make one verdict and one score of the scores of any number of branches.

Scales, our choice: before `or`, `and`, `mean` and `majority` a branch's score is bent so that its threshold lands on
0.5 (two straight pieces, 0 and 1 stay); `odds` divides the odds by the odds of the threshold instead, which does the
same. `max` takes the raw scores and ignores the thresholds: with them it would give the verdicts of `or` again. An
image is fake exactly where its fused score is above 0.5, and the order of the branches decides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator
from scipy.special import expit

from aligngemini.core.params import Refused
from aligngemini.fusion import fitted

Share = Annotated[float, Field(ge=0, le=1, strict=True)]


class FittedOn(BaseModel):
    """What a fitted rule learned from: scores [m, k], labels [m], its share of false positives and its learner."""

    scores: list[list[Share]]
    label: list[Literal[0, 1]]
    false_positives: Share
    learner: Literal["logistic", "boosting"]


class Description(BaseModel):
    """What `Fusion.as_dict` gives."""

    rule: str
    thresholds: list[Share]
    fitted_on: FittedOn | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Every validation image has a label and the scores of all branches, and both classes occur."""
        data = self.fitted_on
        if data and (len(data.scores) != len(data.label) or {len(self.thresholds)} != {*map(len, data.scores)}):
            raise ValueError("fitted_on needs a label and one score per branch for each validation image")
        if data and set(data.label) != {0, 1}:
            raise ValueError("fitted_on needs labels of both classes")
        return self


class Rule(NamedTuple):
    """A rule's one-line description, its fused scores [n] of scores [n, k] and thresholds [k], and how it is fitted:
    "" (it is not), "thresholds" (these alone) or "model" (`score` is None, see fitted.model).
    """

    text: str
    score: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    fitted: str = ""


def centred(score, threshold: float) -> np.ndarray:
    """`score` in [0, 1] bent monotonically so that `threshold` lands on 0.5; above 0.5 exactly where above it."""
    score = np.asarray(score, dtype=np.float64)
    above = score > threshold
    low = 0.5 * score / threshold if threshold > 0 else np.full_like(score, 0.5)
    high = 0.5 + 0.5 * (score - threshold) / (1 - threshold) if threshold < 1 else np.full_like(score, 0.5)
    return np.where(above, np.maximum(high, np.nextafter(0.5, 1)), np.minimum(low, 0.5))


def _sorted(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Centred scores [n, k] from low to high: sums over them are the same in any order of the branches."""
    columns = [centred(score, threshold) for score, threshold in zip(scores.T, thresholds, strict=True)]
    return np.sort(np.stack(columns, axis=1), axis=1)


def _odds(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The product of all odds, each divided by its threshold's odds, as a probability."""
    return expit(np.sort(fitted.log_odds(scores) - fitted.log_odds(thresholds), axis=1).sum(axis=1))


def _majority(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The centred score that more than half of the branches reach: above 0.5 where more than half are above their
    thresholds, a tie is none. Unlike the share of branches it ranks images with equally many.
    """
    return _sorted(scores, thresholds)[:, (len(thresholds) - 1) // 2]


def _or(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return _sorted(scores, thresholds)[:, -1]


RULES = {
    "or": Rule("fake if any branch is above its threshold (the published rule)", _or),
    "and": Rule("fake only if all branches are above their thresholds", lambda s, t: _sorted(s, t)[:, 0]),
    "max": Rule("fake if the largest raw score is above 0.5, thresholds ignored", lambda s, t: s.max(axis=1)),
    "mean": Rule(
        "fake if the mean of all scores, each centred on its threshold, is above 0.5",
        lambda s, t: _sorted(s, t).sum(axis=1) / len(t),
    ),
    "odds": Rule("fake if the product of all odds, each relative to its threshold's odds, is above one", _odds),
    "majority": Rule("fake if more than half of the branches are above their thresholds", _majority),
    "or_budget": Rule(
        "fake if any branch is above its threshold, thresholds fitted for few false alarms", _or, "thresholds"
    ),
    "learned": Rule("fake if a classifier fitted on the log-odds of all scores says so", None, "model"),
}


@dataclass(frozen=True)
class Fusion:
    """A rule with the thresholds of the branches, [k] in [0, 1], and what a fitted rule was fitted on (see `fit`).

    The thresholds of `or_budget` are its own; `learned` does not look at them, they only say which branch fired.
    Raises Refused for an unknown rule, a threshold outside [0, 1], or a learned rule without what it was fitted on.
    """

    rule: str
    thresholds: tuple[float, ...]
    fitted_on: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise Refused(f"There is no rule {self.rule!r}; choose one of {', '.join(RULES)}.")
        object.__setattr__(self, "thresholds", tuple(float(each) for each in self.thresholds))
        outside = [each for each in self.thresholds if not 0 <= each <= 1]
        if outside or not self.thresholds:
            raise Refused(f"Every branch needs a threshold, and it must lie in [0, 1], got {list(self.thresholds)}.")
        if RULES[self.rule].fitted and self.fitted_on is None:
            raise Refused(f"The rule {self.rule} has not been fitted; fit it on validation scores first.")

    @classmethod
    def fit(
        cls,
        rule: str,
        thresholds: Sequence[float],
        scores=None,
        label=None,
        false_positives: float = 0.05,
        learner: str = "logistic",
    ) -> Self:
        """The rule, fitted on validation scores [m, k] and labels [m] (0 real, 1 fake) if it is one of the fitted ones;
        the others ignore all but the thresholds.

        Rows that lack a score are left out. Raises Refused if no scored row of either class is left.
        """
        if rule not in RULES or not RULES[rule].fitted:
            return cls(rule, tuple(thresholds))
        scores, label = fitted.complete(scores, label, len(thresholds))
        if not len(label):
            raise Refused(
                f"The rule {rule} is fitted on the joint validation set, and no image of it that all branches have "
                "scored is real, or none is fake: make a data run with joint_images above 0, and its branches' runs."
            )
        if RULES[rule].fitted == "thresholds":
            thresholds = fitted.thresholds(scores, label, false_positives)
        validation = {"scores": scores.tolist(), "label": label.tolist()}
        return cls(rule, tuple(thresholds), validation | {"false_positives": false_positives, "learner": learner})

    def __call__(self, scores) -> tuple[np.ndarray, np.ndarray]:
        """Verdicts (int8 [n], 1 fake) and fused scores (float64 [n] in [0, 1]) of scores [n, k] in [0, 1].

        Raises Refused for another number of branches or a missing score: without all scores there is no verdict.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(self.thresholds):
            raise Refused(f"Fusion needs scores [n, {len(self.thresholds)}], one per branch, got {scores.shape}.")
        if np.isnan(scores).any():
            raise Refused("Fusion needs the scores of all branches; list images that lack one as missing.")
        fused = self._score(scores, np.array(self.thresholds))
        return (fused > 0.5).astype(np.int8), fused

    def bounds(self, scores) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest verdict, int8 [n] each, that scores [n, k] allow whose missing ones are NaN.

        Where they are equal, no missing score can change the verdict: all rules but `learned` rise with every score.
        Of that one nothing is known before all scores are there.
        """
        scores = np.asarray(scores, dtype=np.float64)
        missing = np.isnan(scores)
        low, high = (self(np.where(missing, value, scores))[0] for value in (0.0, 1.0))
        if RULES[self.rule].score is None:
            low[missing.any(axis=1)], high[missing.any(axis=1)] = 0, 1
        return low, high

    @cached_property
    def _score(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        score = RULES[self.rule].score
        if score:
            return score
        data = self.fitted_on or {}
        model = fitted.model(data["scores"], data["label"], data["learner"])
        return lambda scores, thresholds: model(scores)

    def as_dict(self) -> dict[str, Any]:
        """What `from_dict` makes it from again, fit for JSON."""
        return {"rule": self.rule, "thresholds": list(self.thresholds), "fitted_on": self.fitted_on}

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> Self:
        """The fusion that `as_dict` described; `learned` is fitted again, on the same scores. Raises Refused for what
        describes none.
        """
        try:
            Description.model_validate(config)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise Refused(f"This describes no fusion: {place or 'it'}: {first['msg']}. Make the run again.") from error
        return cls(config["rule"], tuple(config["thresholds"]), config.get("fitted_on"))


def fired(scores, thresholds: Sequence[float], names: Sequence[str]) -> np.ndarray:
    """The branches above their own thresholds, "" or their names joined by "+", object [n], of scores [n, k]; NaN is
    not above.
    """
    above = np.asarray(scores, dtype=np.float64) > np.asarray(thresholds, dtype=np.float64)
    return np.array(["+".join(np.array(names)[row]) for row in above], dtype=object)


class Region(NamedTuple):
    """What a rule calls fake over the scores of one branch or two: its thresholds for them, side [size] of the grid
    (scores, as close together in log-odds near 0 and 1 as near one half), verdicts int8 [size] or [size, size] (the
    first branch across), and whether other branches stay at their thresholds.
    """

    rule: str
    thresholds: tuple[float, ...]
    side: np.ndarray
    verdict: np.ndarray
    others: bool


def region(fusion: Fusion, places: Sequence[int] | None = None, size: int = 121) -> Region:
    """The verdicts of a fusion on a grid of the scores of one branch or two, given by their places (the first two), for
    drawing.
    """
    count = len(fusion.thresholds)
    places = range(min(count, 2)) if places is None else places
    side = expit(2 * np.sinh(np.linspace(-3.7, 3.7, size)))  # from 0 to 1, and as fine as 0.03 around one half
    scores = np.tile(fusion.thresholds, (size ** len(places), 1))
    for place, values in zip(places, np.meshgrid(*[side] * len(places)), strict=True):
        scores[:, place] = values.ravel()
    verdict = fusion(scores)[0].reshape([size] * len(places))
    at = tuple(fusion.thresholds[place] for place in places)
    return Region(fusion.rule, at, side, verdict, len(places) < count)
