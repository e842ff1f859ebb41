"""Parameters of notebook 05."""

from aligngemini.branches import branch_runs
from aligngemini.core import fields
from aligngemini.core.params import Params, param
from aligngemini.core.stages import FUSION


class AnalysisParams(Params):
    """Parameters of notebook 05: which runs are compared and how."""

    fusion_run: str = param("latest", "run of notebook 04 to analyse", filled=True, upstream=FUSION)
    branch_runs: list[str] = branch_runs.field(
        [
            "vlm latest supervision:semantic",
            "vlm latest supervision:mixed",
            "expert latest supervision:pixel",
            "expert latest supervision:mixed",
        ],
        "runs of branches to compare, the pure one of a kind first; branches without a run come from fusion_run",
        every=True,
    )
    resamples: fields.Resamples = 2000
    confidence: fields.Confidence = 0.95
    shown: int = param(12, "images per group in the report, 1 to 200", least=1, most=200)

    def check(self) -> None:
        """Refuse impossible branches."""
        branch_runs.read(self.branch_runs)
