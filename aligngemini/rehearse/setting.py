"""What is tried: the recipes of a scale, and the sizes of images and answers."""

from typing import NamedTuple

from aligngemini.core import params, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.images.autoencoder import BUDGET, LIVE
from aligngemini.images.params import DataParams
from aligngemini.vlm.params import VLMParams

PHOTO = {"paper": (640, 480), "mini": (112, 112)}  # px; most photographs of COCO have this size
ANSWER = {"paper": 100, "mini": 20}  # tokens of an answer (ours; third parties allow 160)
ONE = {"gradient_accumulation": 1, "score_batch_size": 1}


class Setting(NamedTuple):
    """Parameters of the notebooks; width and height (px) of what each model looks at; tokens of an answer."""

    scale: str
    vae: DataParams
    vlm: VLMParams
    expert: ExpertParams
    sizes: dict[str, tuple[int, int]]
    answer: int

    @property
    def photographs(self) -> int:
        """How many the autoencoder takes at once on a GPU, where its widest full-size layer has 256 channels."""
        width, height = self.sizes["vae"]
        return max(1, BUDGET["cuda"] // (LIVE * 256 * 2 * width * height))

    def single(self) -> "Setting":
        """The same in bfloat16 and batches of one image or pair, for a CPU."""
        vlm = self.vlm.replace(**ONE, batch_size=1, precision="bfloat16")
        return self._replace(vlm=vlm, expert=self.expert.replace(**ONE, batch_pairs=1))


def of(scale: str) -> Setting:
    """The setting of a scale's recipes; raises Refused for a scale that has no architectures here."""
    if scale not in PHOTO:
        raise Refused(f"there is no rehearsal of scale {scale!r}: choose {' or '.join(PHOTO)}")
    forms = {stages.DATA: DataParams, stages.VLM: VLMParams, stages.EXPERT: ExpertParams}
    vae, vlm, expert = (
        params.build(kind, recipes.recipe(scale, stages.STAGES[name]), name) for name, kind in forms.items()
    )
    sizes = {"vae": PHOTO[scale], "vlm": (vae.image_size,) * 2, "expert": (expert.crop,) * 2}
    return Setting(scale, vae, vlm, expert, sizes, ANSWER[scale])
