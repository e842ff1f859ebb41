"""What notebook 03 may be asked."""

from aligngemini.core import fields
from aligngemini.core.params import Params, param

CHANGES = ["jpeg", "flip", "upend", "noise", "pepper", "blur", "sharpen", "colour", "grey"]
BLURS = ["gaussian", "gaussian 3", "gaussian 5", "median 3", "motion 5"]


class ExpertParams(Params):
    """Parameters of notebook 03: LoRA training of the pixel expert on pairs."""

    scale: fields.Scale = "mini"
    seed: fields.Seed = 0
    data_run: fields.DataRun = "latest"
    base: str = param("data/mini/expert", "backbone to tune, a folder or hub name", filled=True, source="model")
    base_revision: str = param("", "revision of the backbone on the hub, empty for the newest")
    supervision: fields.Supervision = "pixel"
    mode: str = param(
        "fixed", "what the released DDA code does (faithful) or what it meant (fixed)", choices=["faithful", "fixed"]
    )
    learning_rate: fields.LearningRate = 3.0e-3
    lora_rank: fields.LoraRank = 8
    lora_alpha: fields.LoraAlpha = 8.0
    epochs: fields.Epochs = 2.0
    batch_pairs: int = param(16, "pairs of real and fake per step, 1 or more", least=1)
    gradient_accumulation: fields.GradientAccumulation = 1
    crop: int = param(112, "side of the crops the backbone sees, px, a multiple of 14", least=14, multiple=14)
    normalisation: str = param("base", "colours as the base was trained with or CLIP's", choices=["base", "clip"])
    contrastive_weight: float = param(0.0, "share of the contrastive loss in the loss, 0 to 1", least=0, most=1)
    align_probability: float = param(
        0.0, "chance that a fake is compressed like its photograph, 0 to 1", least=0, most=1
    )
    pixel_mix_probability: float = param(0.0, "chance that a fake is mixed with its photograph", least=0, most=1)
    frequency_mix_probability: float = param(0.0, "chance that it is by cosine coefficients", least=0, most=1)
    mix_strength: list[float] = param([0.0, 0.8], "weight in a mix, lowest and highest", least=0, most=1, pair=True)
    resized_views: bool = param(False, "whether a smaller and a larger view of each picture are added")
    downscale: list[float] = param(
        [0.2, 1.0], "size of the smaller view, lowest and highest, above 0 to 1", above=0, most=1, pair=True
    )
    upscale: list[float] = param(
        [1.0, 3.5], "size of the larger view, lowest and highest, 1 to 8", least=1, most=8, pair=True
    )
    margin: int = param(0, "px around a crop for changes that look around, with blocks in place", least=0)
    chain: list[str] = param(
        ["flip", "blur", "noise", "jpeg"],
        "changes that both members of a pair may go through, in order",
        choices=CHANGES,
    )
    jpeg_probability: float = param(0.3, "chance that a pair is compressed again, 0 to 1", least=0, most=1)
    noise_probability: float = param(0.1, "chance that a pair gets noise, 0 to 1", least=0, most=1)
    noise_sigma: list[float] = param(
        [1.0, 6.0], "sigma of that noise in grey levels of 255, lowest and highest", least=0, most=255, pair=True
    )
    blur_probability: float = param(0.1, "chance that a pair is blurred, 0 to 1", least=0, most=1)
    blurs: list[str] = param(["gaussian"], "blurs to draw from", choices=BLURS, filled=True)
    pepper_probability: float = param(0.0, "chance that pixels of a pair turn black, 0 to 1", least=0, most=1)
    sharpen_probability: float = param(0.0, "chance that a pair is sharpened, 0 to 1", least=0, most=1)
    colour_probability: float = param(0.0, "chance that the colours of a pair change, 0 to 1", least=0, most=1)
    grey_probability: float = param(0.0, "chance that a pair loses its colours, 0 to 1", least=0, most=1)
    workers: int = param(1, "processes that prepare batches, 0 or more", least=0)
    checkpoint_steps: fields.CheckpointSteps = 50
    score_batch_size: int = param(64, "pictures scored at once, 1 or more", least=1)
    push_to_hub: fields.PushToHub = ""

    def check(self) -> None:
        """Refuse a name that no repository can have."""
        fields.check_repository(self.push_to_hub)
