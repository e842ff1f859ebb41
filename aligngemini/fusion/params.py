"""Parameters of notebook 04."""

from aligngemini.branches import branch_runs, registry
from aligngemini.core import fields
from aligngemini.core.params import Params, Refused, advanced, param


class FusionParams(Params):
    """Parameters of notebook 04: the branches, and the rule that joins them."""

    branch_runs: list[str] = branch_runs.field(
        ["vlm latest supervision:semantic", "expert latest supervision:pixel"],
        "branches to join, each a kind (vlm, expert, frequency, scores) with its run or file",
        every=False,
    )
    rule: str = param("or", "rule that joins the scores of the branches", choices=list(registry.RULES))
    false_positives: float = param(
        0.05, "largest share of real validation images that the rule or_budget may call fake, 0 to 1", least=0, most=1
    )
    learner: str = advanced("logistic", "classifier of the rule learned", choices=["logistic", "boosting"])
    thresholds: str = param(
        "validation",
        "source of the thresholds: the validation images, or fixed_thresholds",
        choices=["validation", "fixed"],
    )
    fixed_thresholds: list[float] = advanced(
        [0.5],
        "thresholds used when thresholds is fixed, 0 to 1, one for all branches or one for each",
        least=0,
        most=1,
        filled=True,
    )
    degrade_examples: bool = advanced(
        True, "score one test image of each kind behind growing degradation; loads the branches"
    )
    resamples: fields.Resamples = 2000
    confidence: fields.Confidence = 0.95

    def check(self) -> None:
        """Refuse impossible branches, and a wrong number of thresholds."""
        count = len(branch_runs.read(self.branch_runs))
        if len(self.fixed_thresholds) not in (1, count):
            raise Refused(f"fixed_thresholds must be one number for all branches, or one for each of the {count}")
