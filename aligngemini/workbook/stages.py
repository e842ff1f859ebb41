"""The five notebooks: the form of each and the runs it needs."""

import dataclasses

from aligngemini.workbook.forms import AnalysisParams, DataParams, ExpertParams, FusionParams, VLMParams
from aligngemini.workbook.names import ANALYSIS, DATA, EXPERT, FUSION, VLM
from aligngemini.workbook.params import Params, Refused, shown


@dataclasses.dataclass(frozen=True)
class Stage:
    """One notebook: its name and parameters.

    `torch`: whether its steps draw from torch's generators, so that these are seeded too.
    """

    name: str
    params: type[Params]
    torch: bool = False


STAGES = {
    stage.name: stage
    for stage in (
        Stage(DATA, DataParams, torch=True),
        Stage(VLM, VLMParams, torch=True),
        Stage(EXPERT, ExpertParams, torch=True),
        Stage(FUSION, FusionParams),
        Stage(ANALYSIS, AnalysisParams),
    )
}


def find(text: str) -> Stage:
    """Return the stage that `text` names, "03", "3" or "03_expert_lora"; raises `Refused` if none."""
    for name, stage in STAGES.items():
        if text == name or text.lstrip("0").zfill(2) == name[:2]:
            return stage
    raise Refused(f"there is no stage {shown(text)}: it is one of {', '.join(STAGES)}, or their numbers")


def selectors(cfg: Params) -> dict[str, tuple[str, str | list[str]]]:
    """Return the fields of `cfg` that select runs: name -> (upstream notebook, selector or list of them)."""
    fields = dataclasses.fields(cfg)
    return {f.name: (f.metadata["upstream"], getattr(cfg, f.name)) for f in fields if f.metadata.get("upstream")}


def needs(cfg: Params) -> dict[str, tuple[str, str]]:
    """Return the runs `cfg` stands on: label -> (upstream notebook, selector).

    `data_run` is labelled "data"; the elements of `vlm_runs` are "vlm 1", "vlm 2".
    """
    found: dict[str, tuple[str, str]] = {}
    for field, (upstream, value) in selectors(cfg).items():
        label = field.removesuffix("s").removesuffix("_run")
        if isinstance(value, list):
            found |= {f"{label} {i}": (upstream, item) for i, item in enumerate(value, start=1)}
        else:
            found[label] = (upstream, value)
    return found
