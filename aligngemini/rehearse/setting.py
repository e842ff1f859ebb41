"""What is rehearsed: the recipes of a scale, the sizes of its pictures, and how much of it this machine tries."""

from dataclasses import dataclass, replace

from aligngemini.expert.params import ExpertParams
from aligngemini.images.params import DataParams
from aligngemini.vlm.params import VLMParams

from ..workbook import params, recipes, stages
from ..workbook.params import Refused

SCALES = ("paper", "mini")
PHOTO = {"paper": (640, 480), "mini": (112, 112)}  # px; most photographs of COCO have this size
ANSWER = {"paper": 100, "mini": 20}  # tokens of an answer (ours; third parties allow 160)
# On a CPU the expert and the autoencoder are tried with single pairs and smaller photographs, to be done in minutes.
CPU = {"photo": (256, 256), "laps": 1, "pairs": 1, "scored": 2}


@dataclass(frozen=True)
class Setting:
    """Parameters of the notebooks, pixels of a photograph (width, height), tokens of an answer, laps per stage."""

    scale: str
    data: DataParams
    vlm: VLMParams
    expert: ExpertParams
    photo: tuple[int, int]
    answer: int
    laps: int

    @property
    def bases(self) -> list[str]:
        """The models' names, as the recipes have them."""
        return [self.data.vae, self.expert.base, self.vlm.base]

    @property
    def times(self) -> int:
        """How often a stage is run: one lap more, to warm up, unless a single one is asked for."""
        return self.laps + 1 if self.laps > 1 else 1

    def on_cpu(self) -> "Setting":
        """The part of it that a CPU tries: at mini scale everything."""
        if self.scale != "paper":
            return self
        one = {"batch_pairs": CPU["pairs"], "gradient_accumulation": 1, "score_batch_size": CPU["scored"], "workers": 0}
        expert = self.expert.replace(**one)
        return replace(self, expert=expert, photo=CPU["photo"], laps=CPU["laps"])


def of(scale: str, laps: int) -> Setting:
    """The setting of a scale's recipes; raises Refused for a scale that has no architectures here, or no laps."""
    if scale not in SCALES:
        raise Refused(f"there is no rehearsal of scale {scale!r}: choose {' or '.join(SCALES)}")
    if laps < 1:
        raise Refused(f"--laps takes a number of 1 or more, not {laps}")
    asked = [(stages.DATA, DataParams), (stages.VLM, VLMParams), (stages.EXPERT, ExpertParams)]
    read = [params.build(kind, recipes.recipe(scale, stages.STAGES[name]), name) for name, kind in asked]
    return Setting(scale, *read, PHOTO[scale], ANSWER[scale], laps)
