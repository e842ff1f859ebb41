"""What a rehearsal follows: the recipes of a scale, and the sizes of what its models look at."""

from typing import NamedTuple

from aligngemini.core import params, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.images.params import DataParams
from aligngemini.vlm import labels
from aligngemini.vlm.params import VLMParams

# px of a photograph: most of COCO have this size, and those of Unsplash are cropped to the recipe's max_side
PHOTO = {"paper": (640, 480), "colab": (512, 512), "laptop": (512, 512), "mini": (112, 112)}
ANSWER = {"mini": 20}  # tokens of an answer, else 100 (ours; third parties allow 160)
SHORT = 4  # tokens of an answer on a CPU, which reads every weight for each


class Setting(NamedTuple):
    """Parameters of the notebooks; width and height (px) of a photograph; tokens of an answer that is trained on, of
    one that explains and of one that labels; mixed: whether photographs are of four shapes in turn, from tiny to huge.
    """

    scale: str
    data: DataParams
    vlm: VLMParams
    expert: ExpertParams
    photo: tuple[int, int]
    answer: int
    explained: int
    reason: int = labels.TOKENS
    mixed: bool = False

    def size(self, model: str) -> tuple[int, int]:
        """Width and height (px) of what a model looks at."""
        return {"vae": self.photo, "vlm": (self.data.image_size,) * 2, "expert": (self.expert.crop,) * 2}[model]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Width and height of photographs: alike, or landscape, portrait, tiny and huge."""
        width, height = self.photo
        mixed = [(width, height), (height, width), (width // 8, height // 8), (4 * width, 4 * height)]
        return mixed if self.mixed else mixed[:1]

    def single(self) -> "Setting":
        """The same in bfloat16 and batches of one image or pair (scores and views: one of each shape)."""
        count, plain = len(self.shapes), {"precision": "bfloat16", "quantise": ""}
        vlm = self.vlm.replace(batch_size=1, gradient_accumulation=1, score_batch_size=count, **plain)
        expert = self.expert.replace(batch_pairs=1, gradient_accumulation=count, score_batch_size=count)
        return self._replace(vlm=vlm, expert=expert)


def make(scale: str, mixed: bool = False) -> Setting:
    """The setting of a scale's recipes; raises Refused for a scale that has no architectures here."""
    if scale not in PHOTO:
        raise Refused(f"there is no rehearsal of scale {scale!r}: choose {' or '.join(PHOTO)}")
    answer, notebooks = ANSWER.get(scale, 100), (stages.DATA, stages.VLM, stages.EXPERT)
    configs = [params.build(stage.params, recipes.recipe(scale, stage)) for stage in map(stages.find, notebooks)]
    return Setting(scale, *configs, PHOTO[scale], answer, answer, mixed=mixed)
