"""What fusion cannot do without scores is refused, and the branch that lacks them is named."""

import pandas as pd
import pytest

from aligngemini.core.params import Refused
from aligngemini.fusion import coverage
from aligngemini.scores import table as scores

IMAGES = pd.DataFrame({"image_id": list("abcd"), "label": [0, 1, 0, 1]})


def test_images_without_a_score_do_not_count():
    table = scores.make("abc", [0.1, None, 0.2], "vlm", "", ["", "it cannot be read", ""])
    assert coverage.ids(table) == {"a", "c"}


def test_a_branch_that_has_scored_no_test_image_is_named():
    coverage.check_test({"vlm": {"a", "b"}, "mine": {"b", "x"}}, IMAGES)
    with pytest.raises(Refused, match="none of the 4 test images has been scored by mine: see the reasons"):
        coverage.check_test({"vlm": {"a", "b"}, "mine": {"x"}}, IMAGES)
    with pytest.raises(Refused, match="scored by all branches together"):
        coverage.check_test({"vlm": {"a", "b"}, "mine": {"c"}}, IMAGES)


@pytest.mark.parametrize("rule", ["or_budget", "learned"])
def test_a_branch_without_joint_images_of_both_classes_is_named_where_the_rule_is_fitted(rule):
    whole, reals = set("abcd"), {"a", "c"}
    coverage.check_joint(rule, {"vlm": whole, "mine": whole}, IMAGES)
    coverage.check_joint("or", {"vlm": reals}, IMAGES)
    words = f"rule {rule} .* by the VLM 2 are real and 0 fake: score these images, or .* is not fitted .or, and, "
    with pytest.raises(Refused, match=words):
        coverage.check_joint(rule, {"mine": whole, "vlm": reals}, IMAGES)
    with pytest.raises(Refused, match="by all branches together 1 are real and 0 fake"):
        coverage.check_joint(rule, {"vlm": {"a", "b"}, "mine": {"a", "d"}}, IMAGES)


def test_a_data_run_without_a_joint_set_is_refused_by_the_fit_itself():
    coverage.check_joint("learned", {"vlm": set()}, IMAGES.head(0))
