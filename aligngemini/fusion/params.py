"""What notebook 04 may be asked."""

from aligngemini.branches import branch_runs
from aligngemini.core import fields
from aligngemini.core.params import Params, Refused, param

RULES = ["or", "and", "max", "mean", "odds", "majority", "or_budget", "learned"]


class FusionParams(Params):
    """Parameters of notebook 04: the branches, and the rule that joins them."""

    scale: fields.Scale = "mini"
    seed: fields.Seed = 0
    branch_runs: list[str] = branch_runs.field(
        ["vlm latest supervision:semantic", "expert latest supervision:pixel"],
        "branches to join, each a kind of branches/registry.py with its run or file, if it has one",
        every=False,
    )
    rule: str = param("or", "rule that joins the scores", choices=RULES)
    false_positives: float = param(
        0.05, "share of real validation images that or_budget may call fake, 0 to 1", least=0, most=1
    )
    learner: str = param("logistic", "classifier behind the rule learned", choices=["logistic", "boosting"])
    thresholds: str = param("validation", "where thresholds come from", choices=["validation", "fixed"])
    fixed_thresholds: list[float] = param(
        [0.5],
        "scores above which branches say fake, 0 to 1, used when fixed, one for all or one each",
        least=0,
        most=1,
        filled=True,
    )
    resamples: fields.Resamples = 2000
    confidence: fields.Confidence = 0.95

    def check(self) -> None:
        """Refuse branches that cannot be, and thresholds that do not fit them."""
        count = len(branch_runs.read(self.branch_runs))
        if len(self.fixed_thresholds) not in (1, count):
            raise Refused(f"fixed_thresholds must be one number for all branches, or one for each of the {count}")
