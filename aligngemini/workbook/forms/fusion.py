"""What notebook 04 may be asked."""

import dataclasses

from aligngemini.workbook.forms import fields
from aligngemini.workbook.names import EXPERT, VLM
from aligngemini.workbook.params import Params, param


@dataclasses.dataclass(frozen=True)
class FusionParams(Params):
    """Parameters of notebook 04: the rule that joins the two branches."""

    scale: str = fields.scale()
    seed: int = fields.seed()
    vlm_run: str = param("latest supervision:semantic", "run of notebook 02 to join", filled=True, upstream=VLM)
    expert_run: str = param("latest supervision:pixel", "run of notebook 03 to join", filled=True, upstream=EXPERT)
    rule: str = param("or", "rule that joins the two scores", choices=["or", "and", "max", "mean", "odds"])
    thresholds: str = param("validation", "where thresholds come from", choices=["validation", "fixed"])
    vlm_threshold: float = param(0.5, "score from which the VLM says fake, 0 to 1, used when fixed", least=0, most=1)
    expert_threshold: float = param(
        0.5, "score from which the expert says fake, 0 to 1, used when fixed", least=0, most=1
    )
    resamples: int = fields.resamples()
    confidence: float = fields.confidence()
