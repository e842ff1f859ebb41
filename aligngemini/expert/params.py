"""Parameters of notebook 03."""

from typing import Any

from aligngemini.core import fields, models
from aligngemini.core.params import Params, advanced, param

CHANGES = ["jpeg", "flip", "upend", "noise", "pepper", "blur", "sharpen", "colour", "grey"]
BLURS = ["gaussian", "gaussian 3", "gaussian 5", "median 3", "motion 5"]


def _probability(default: float, event: str) -> Any:
    return advanced(default, f"probability that {event}, 0 to 1", least=0, most=1)


class ExpertParams(Params):
    """Parameters of notebook 03: LoRA training of the pixel expert on pairs."""

    data_run: fields.DataRun = "latest"
    base: str = param("data/mini/expert", "backbone to train, a folder or hub name", filled=True, source="model")
    base_revision: str = advanced("", "revision of the backbone on the hub, empty for the newest")
    supervision: fields.Supervision = "pixel"
    mode: str = param(
        "fixed",
        "faithful repeats the errors of the released DDA code, fixed corrects them",
        choices=["faithful", "fixed"],
    )
    learning_rate: fields.LearningRate = 3.0e-3
    lora_rank: fields.LoraRank = 8
    lora_alpha: fields.LoraAlpha = 8.0
    epochs: fields.Epochs = 2.0
    batch_pairs: int = advanced(16, "pairs of a real and a fake image per batch, 1 or more", least=1)
    gradient_accumulation: fields.GradientAccumulation = 1
    crop: int = advanced(112, "side in px of the crops that the backbone gets, a multiple of its patch size", least=32)
    normalisation: str = advanced(
        "base", "mean and deviation of the colours: those of the base, or those of CLIP", choices=["base", "clip"]
    )
    contrastive_weight: float = advanced(
        0.0, "weight of the contrastive loss in the total loss, 0 to 1", least=0, most=1
    )
    align_probability: float = _probability(0.0, "a fake is compressed like its photograph")
    pixel_mix_probability: float = _probability(0.0, "a fake is mixed with its photograph")
    frequency_mix_probability: float = _probability(0.0, "a fake is mixed with its photograph in DCT space")
    mix_strength: list[float] = fields.span(
        [0.0, 0.8],
        "weight of the photograph in a mix (of the fake, in a faithful pixel mix)",
        "0 to 1",
        least=0,
        most=1,
    )
    resized_views: bool = advanced(False, "add a smaller and a larger view of each image")
    downscale: list[float] = fields.span([0.2, 1.0], "scale of the smaller view", "above 0 to 1", above=0, most=1)
    upscale: list[float] = fields.span([1.0, 3.5], "scale of the larger view", "1 to 8", least=1, most=8)
    margin: int = advanced(
        0, "context in px around a crop, so that blur and JPEG get its surroundings; aligned to the JPEG grid", least=0
    )
    chain: list[str] = advanced(
        ["flip", "blur", "noise", "jpeg"], "augmentations of both images of a pair, in order", choices=CHANGES
    )
    jpeg_probability: float = _probability(0.3, "a pair is compressed as JPEG")
    noise_probability: float = _probability(0.1, "a pair gets noise")
    noise_sigma: list[float] = fields.span(
        [1.0, 6.0], "sigma of the noise in grey levels", "0 to 255", least=0, most=255
    )
    blur_probability: float = _probability(0.1, "a pair is blurred")
    blurs: list[str] = advanced(["gaussian"], "kinds of blur to sample from", choices=BLURS, filled=True)
    pepper_probability: float = _probability(0.0, "some pixels of a pair turn black")
    sharpen_probability: float = _probability(0.0, "a pair is sharpened")
    colour_probability: float = _probability(0.0, "the colours of a pair change")
    grey_probability: float = _probability(0.0, "a pair becomes grayscale")
    abstain_on_degraded: bool = advanced(
        True, "give the score 0 to images that look degraded to a linear probe on the frozen backbone"
    )
    precision: str = fields.number_format("backbone", "bfloat16", "float32 elsewhere and in mode faithful")
    compiled: bool = advanced(
        False, "compile the blocks of the backbone for training, which takes a minute and changes rounding"
    )
    workers: int = advanced(1, "processes that prepare batches, 0 or more", least=0)
    checkpoint_steps: fields.CheckpointSteps = 50
    score_batch_size: int = advanced(64, "images per batch when scoring, 1 or more", least=1)
    push_to_hub: fields.PushToHub = ""

    def check(self) -> None:
        """Refuse an impossible name of a repository, and crops that cut a patch."""
        models.check_crop(self.base, self.crop)
        fields.check_repository(self.push_to_hub)
