"""What notebook 05 may be asked."""

import dataclasses

from aligngemini.workbook.forms import fields
from aligngemini.workbook.names import EXPERT, FUSION, VLM
from aligngemini.workbook.params import Params, param


@dataclasses.dataclass(frozen=True)
class AnalysisParams(Params):
    """Parameters of notebook 05: which runs are compared and how."""

    scale: str = fields.scale()
    seed: int = fields.seed()
    fusion_run: str = param("latest", "run of notebook 04 to analyse", filled=True, upstream=FUSION)
    vlm_runs: list[str] = param(
        ["latest supervision:semantic", "latest supervision:mixed"],
        "runs of 02, the pure one first",
        filled=True,
        upstream=VLM,
    )
    expert_runs: list[str] = param(
        ["latest supervision:pixel", "latest supervision:mixed"],
        "runs of 03, the pure one first",
        filled=True,
        upstream=EXPERT,
    )
    resamples: int = fields.resamples()
    confidence: float = fields.confidence()
    shown: int = param(12, "pictures shown per group in the report, 1 to 200", least=1, most=200)
