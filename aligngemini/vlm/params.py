"""What notebook 02 may be asked."""

from aligngemini.core import fields
from aligngemini.core.params import Params, Refused, param

REASONS = ["twin", "own", "none"]


class VLMParams(Params):
    """Parameters of notebook 02: preference tuning of the vision-language model."""

    scale: fields.Scale = "mini"
    seed: fields.Seed = 0
    data_run: fields.DataRun = "latest"
    base: str = param("data/mini/vlm", "model to tune, a folder or hub name", filled=True, source="model")
    base_revision: str = param("", "revision of the model on the hub, empty for the newest")
    supervision: fields.Supervision = "semantic"
    objective: str = param(
        "dpo", "preference optimisation (dpo) or fine-tuning on the chosen answers (sft)", choices=["dpo", "sft"]
    )
    labeller: str = param(
        "",
        "model that writes the reasons, base or a folder or hub name, empty for the pictures' own remarks",
        source="model",
        besides=("", "base"),
    )
    labeller_revision: str = param("", "revision of that model on the hub, empty for the newest")
    reasons: str = param(
        "twin", "what follows a wrong verdict, the twin's reason, the picture's own, or none", choices=REASONS
    )
    beta: float = param(0.1, "pull towards the reference model, above 0", above=0)
    learning_rate: fields.LearningRate = 2.0e-3
    lora_rank: fields.LoraRank = 16
    lora_alpha: fields.LoraAlpha = 32.0
    lora_dropout: float = param(0.0, "dropout probability inside the adapters, 0 to 1", least=0, most=1)
    epochs: fields.Epochs = 1.0
    batch_size: int = param(16, "preference pairs per step, 1 or more", least=1)
    gradient_accumulation: fields.GradientAccumulation = 1
    max_pixels: int = param(12544, "pixels a picture may have before it is shrunk, at least 784", least=784)
    checkpoint_steps: fields.CheckpointSteps = 50
    score_batch_size: int = param(64, "pictures scored or labelled at once, 1 or more", least=1)
    gradient_checkpointing: bool = param(False, "recompute activations to save memory, slower")
    share_prompt: bool = param(False, "both answers behind one copy of their prompt, faster, equal but for rounding")
    explain_images: int = param(6, "test pictures explained in words, 0 or more", least=0)
    precision: str = param(
        "auto", "arithmetic of the model", choices=["auto", "float32", "bfloat16"], on_card="bfloat16"
    )
    quantise: str = param("", "weights of the base in 4bit, for small GPUs, or empty", choices=["", "4bit"])
    accelerate_config: str = param(
        "", "accelerate's file for several GPUs, empty for one process", source="file", besides=("",)
    )
    push_to_hub: fields.PushToHub = ""

    def check(self) -> None:
        """Refuse reasons that no one would read, and a name that no repository can have."""
        if self.labeller and self.reasons != "twin":
            raise Refused("reasons tells how remarks are used, but a labeller writes its own: leave one of them out")
        if self.labeller_revision and self.labeller in ("", "base"):
            raise Refused("labeller_revision is of a labeller other than the base, and there is none: leave it out")
        if self.quantise and self.accelerate_config:
            raise Refused("quantise saves room on one GPU, accelerate_config uses several: leave one of them out")
        fields.check_repository(self.push_to_hub)
