"""Parameters of notebook 02."""

from aligngemini.core import fields
from aligngemini.core.params import Params, Refused, advanced, param

REASONS = ["twin", "own", "none"]


class VLMParams(Params):
    """Parameters of notebook 02: preference tuning of the vision-language model."""

    data_run: fields.DataRun = "latest"
    base: str = param("data/mini/vlm", "model to train, a folder or hub name", filled=True, source="model")
    base_revision: str = advanced("", "revision of the base on the hub, empty for the newest")
    supervision: fields.Supervision = "semantic"
    objective: str = param(
        "dpo+sft",
        "loss: preference optimisation (dpo), fine-tuning on the chosen answers (sft), or the sum of both (dpo+sft)",
        choices=["dpo", "sft", "dpo+sft"],
    )
    labeller: str = advanced(
        "",
        "model that writes the reasons: base, a folder or a hub name; empty for the remarks of the images",
        source="model",
        besides=("", "base"),
    )
    labeller_revision: str = advanced("", "revision of the labeller on the hub, empty for the newest")
    reasons: str = advanced(
        "twin",
        "reason after a wrong verdict: that of the twin image (twin), that of the image itself (own) or none",
        choices=REASONS,
    )
    beta: float = param(0.1, "strength of the pull towards the reference model in DPO, above 0", above=0)
    learning_rate: fields.LearningRate = 2.0e-3
    lora_rank: fields.LoraRank = 16
    lora_alpha: fields.LoraAlpha = 32.0
    lora_dropout: float = advanced(0.0, "dropout probability in the LoRA layers, 0 to 1", least=0, most=1)
    epochs: fields.Epochs = 1.0
    batch_size: int = advanced(16, "preference pairs per batch, 1 or more", least=1)
    gradient_accumulation: fields.GradientAccumulation = 1
    max_pixels: int = advanced(
        12544, "largest number of pixels of an image, 784 or more; larger images are shrunk", least=784
    )
    checkpoint_steps: fields.CheckpointSteps = 50
    score_batch_size: int = advanced(64, "images per batch when scoring or labelling, 1 or more", least=1)
    gradient_checkpointing: bool = advanced(False, "recompute activations, which saves memory and takes longer")
    share_prompt: bool = advanced(
        True, "pack both answers into one sequence that shares the prompt; faster, equal up to rounding"
    )
    explain_images: int = advanced(6, "number of test images that the model explains in words, 0 or more", least=0)
    precision: str = fields.number_format("model", "bfloat16")
    quantise: str = advanced(
        "",
        "4bit stores the weights of the base in four bits, for small GPUs; empty stores them as they are",
        choices=["", "4bit"],
    )
    accelerate_config: str = advanced(
        "", "configuration file of accelerate for several GPUs, empty for one process", source="file", besides=("",)
    )
    push_to_hub: fields.PushToHub = ""

    def check(self) -> None:
        """Refuse options that exclude each other, and an impossible name of a repository."""
        if self.labeller and self.reasons != "twin":
            raise Refused("reasons tells how remarks are used, but a labeller writes its own: leave one of them out")
        if self.labeller_revision and self.labeller in ("", "base"):
            raise Refused("labeller_revision is of a labeller other than the base, and there is none: leave it out")
        if self.quantise and self.accelerate_config:
            raise Refused("quantise saves room on one GPU, accelerate_config uses several: leave one of them out")
        fields.check_repository(self.push_to_hub)
