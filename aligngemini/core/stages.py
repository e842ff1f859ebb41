"""The notebooks: their names and order, where the parameters of each are, and the runs that they need."""

import dataclasses
from pkgutil import resolve_name
from typing import Any, NamedTuple

from aligngemini.core import params
from aligngemini.core.params import Params, Refused, shown

DATA, VLM, EXPERT = "01_data_construction", "02_vlm_dpo", "03_expert_lora"
FUSION, ANALYSIS, PEERS = "04_fusion", "05_analysis", "06_peers"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One notebook: its name, and the class of its parameters, "module:class", which is loaded when it is needed.

    `torch`: whether its steps draw from torch's generators, so that these are seeded too. `loads`: whether it makes
    objects of the branches that its parameters name, so that their code counts. `asked`: whether it runs only where the
    command line names it.
    """

    name: str
    code: str
    torch: bool = False
    loads: bool = False
    asked: bool = False

    @property
    def params(self) -> type[Params]:
        """The class of its parameters."""
        return resolve_name(self.code)

    @property
    def place(self) -> int:
        """Its place in the order in which notebooks run."""
        return list(STAGES).index(self.name)


STAGES = {
    stage.name: stage
    for stage in (
        Stage(DATA, "aligngemini.images.params:DataParams", torch=True),
        Stage(VLM, "aligngemini.vlm.params:VLMParams", torch=True),
        Stage(EXPERT, "aligngemini.expert.params:ExpertParams", torch=True),
        Stage(FUSION, "aligngemini.fusion.params:FusionParams", torch=True, loads=True),
        Stage(ANALYSIS, "aligngemini.analysis.params:AnalysisParams"),
        Stage(PEERS, "aligngemini.peers.params:PeersParams", torch=True, loads=True, asked=True),
    )
}


def find(text: str) -> Stage:
    """Return the stage that `text` names, "03", "3" or "03_expert_lora"; raises `Refused` if none."""
    for name, stage in STAGES.items():
        if text == name or text.lstrip("0").zfill(2) == name[:2]:
            return stage
    raise Refused(f"there is no stage {shown(text)}: it is one of {', '.join(STAGES)}, or their numbers")


class Selector(NamedTuple):
    """A text among parameters that selects a run: the field, its place there if the field is a list of branches, what
    the manifest calls the run ("data" that of `data_run`, branches by their kind, "vlm", or "vlm 1", "vlm 2" if there
    are several), the notebook that made it, and the text.
    """

    field: str
    place: int | None
    label: str
    notebook: str
    text: str


def branches(cfg: Params) -> dict[str, list[Any]]:
    """Return field -> the branches that it names, for each list of branches; see branches.branch_runs.Choice."""
    readers = {name: rules.get("read") for name, rules in params.rules(type(cfg)).items()}
    return {name: read(getattr(cfg, name)) for name, read in readers.items() if read}


def selectors(cfg: Params) -> list[Selector]:
    """Return what in `cfg` selects runs, in order."""
    found, lists = [], branches(cfg)
    for name, rules in params.rules(type(cfg)).items():
        if upstream := rules.get("upstream"):
            found.append(Selector(name, None, name.removesuffix("_run"), upstream, getattr(cfg, name)))
        trained = [(place, each) for place, each in enumerate(lists.get(name, [])) if each.kind.notebook]
        found += [Selector(name, at, each.label, each.kind.notebook, each.rest) for at, each in trained]
    return found
