"""Whether the branches have scored what fusion needs: if not, the branch is named, and what to do."""

from collections.abc import Mapping, Set

import pandas as pd

from aligngemini.branches import registry
from aligngemini.core.params import Refused
from aligngemini.fusion.rules import RULES

PLAIN = ", ".join(name for name, rule in RULES.items() if not rule.fitted)


def ids(scores: pd.DataFrame) -> set[str]:
    """The image_id of all images that have a score in a score table."""
    return set(scores.image_id[scores.score.notna()])


def check_test(scored: Mapping[str, Set[str]], images: pd.DataFrame) -> None:
    """Raise Refused if a branch has scored no test image, or no image has the scores of all; `scored` is name -> `ids`,
    `images` the image table.
    """
    every = set(images.image_id)
    for who, found in _each(scored).items():
        if not every & found:
            advice = "see the reasons in its score table, or leave it out of branch_runs"
            raise Refused(f"none of the {len(every)} test images has been scored by {who}: {advice}")


def check_joint(rule: str, scored: Mapping[str, Set[str]], images: pd.DataFrame, advice: str = "") -> None:
    """Raise Refused if `rule` is fitted, but a branch has not scored joint validation images of both classes, or all
    together have not, although there are such; arguments as of `check_test`, `advice` says how to score more.
    """
    label = images.drop_duplicates("image_id").set_index("image_id").label
    if not RULES[rule].fitted or label.nunique() < 2:
        return
    for who, found in _each(scored).items():
        classes = label[label.index.isin(found)]
        if classes.nunique() < 2:
            raise Refused(
                f"the rule {rule} is fitted on the joint validation set, but of the images scored by {who} "
                f"{(classes == 0).sum()} are real and {(classes == 1).sum()} fake: "
                f"{advice or 'score these images'}, or choose a rule that is not fitted ({PLAIN})"
            )


def _each(scored: Mapping[str, Set[str]]) -> dict[str, Set[str]]:
    """What sentences call each branch -> its images, then what all of them have scored."""
    together = set.intersection(*map(set, scored.values()))
    return {registry.called(name): found for name, found in scored.items()} | {"all branches together": together}
