"""What a rehearsal follows: the recipes of a scale, and the sizes of what its models look at."""

import math
from operator import attrgetter
from typing import NamedTuple

from aligngemini.core import params, recipes
from aligngemini.core import stages as notebooks
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.images.autoencoder import BUDGET, LIVE
from aligngemini.images.params import DataParams
from aligngemini.vlm import labels, verdict
from aligngemini.vlm.params import VLMParams

# px of a photograph: most of COCO have this size, and those of Unsplash are cropped to the recipe's max_side
PHOTO = {"paper": (640, 480), "colab": (512, 512), "laptop": (512, 512), "mini": (112, 112)}
TESTED = {"colab": 2_000, "laptop": 2_000}  # images of the held-out list, the validation and the joint sets, about
ANSWER = {"mini": 20}  # tokens of an answer, else 100 (ours; third parties allow 160)
SHORT = 4  # tokens of an answer on a CPU, which reads every weight for each


class Setting(NamedTuple):
    """Parameters of the notebooks; width and height (px) of what each model looks at; tokens of an answer that explains
    and of one that labels; mixed: whether whole pictures are of four shapes in turn, from tiny to huge.
    """

    scale: str
    vae: DataParams
    vlm: VLMParams
    expert: ExpertParams
    sizes: dict[str, tuple[int, int]]
    answer: int
    reason: int = labels.TOKENS
    mixed: bool = False

    def number(self, name: str) -> float:
        """What is called so: a parameter such as vlm.batch_size, or one of these sums; "" is 0.

        Images and pairs are as many as the recipes say (paper: 11.8K pairs of photograph and reconstruction, 5K real
        and 5K surreal images with a preference pair each, arXiv 2512.06746), test images as TESTED says, or 10,000. A
        GPU holds as many photographs as its budget allows at 256 channels of 16 bits.
        """
        photos = self.vae.pixel_pairs or self.vae.train_images // 2
        sums = {
            "": 0,
            "photos": photos,
            "views": photos * self.expert.epochs,
            "preferences": self.vae.train_images * self.vlm.epochs,
            "tested": TESTED.get(self.scale, 10_000),
            "explained": verdict.EXPLAINED,
            "at_once": max(1, BUDGET["cuda"] // (LIVE * 256 * 2 * math.prod(self.sizes["vae"]))),
        }
        return sums[name] if name in sums else attrgetter(name)(self)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Width and height of whole pictures: alike, or landscape, portrait, tiny and huge."""
        width, height = self.sizes["vae"]
        mixed = [(width, height), (height, width), (width // 8, height // 8), (4 * width, 4 * height)]
        return mixed if self.mixed else mixed[:1]

    def single(self) -> "Setting":
        """The same in bfloat16 and batches of one image or pair (scores and views: one of each shape)."""
        count, plain = len(self.shapes), {"precision": "bfloat16", "quantise": ""}
        vlm = self.vlm.replace(batch_size=1, gradient_accumulation=1, score_batch_size=count, **plain)
        expert = self.expert.replace(batch_pairs=1, gradient_accumulation=count, score_batch_size=count)
        return self._replace(vlm=vlm, expert=expert)


def setting(scale: str, mixed: bool = False) -> Setting:
    """The setting of a scale's recipes; raises Refused for a scale that has no architectures here."""
    if scale not in PHOTO:
        raise Refused(f"there is no rehearsal of scale {scale!r}: choose {' or '.join(PHOTO)}")
    forms = {notebooks.DATA: DataParams, notebooks.VLM: VLMParams, notebooks.EXPERT: ExpertParams}
    values = {name: recipes.recipe(scale, notebooks.STAGES[name]) for name in forms}
    vae, vlm, expert = (params.build(form, values[name], name) for name, form in forms.items())
    sizes = {"vae": PHOTO[scale], "vlm": (vae.image_size,) * 2, "expert": (expert.crop,) * 2}
    return Setting(scale, vae, vlm, expert, sizes, ANSWER.get(scale, 100), mixed=mixed)
