"""The five forms: what each notebook may be asked, with defaults, help and what is refused."""

import dataclasses
import re
from typing import Any

from aligngemini.workbook import params
from aligngemini.workbook.params import Params, Refused, param

DATA, VLM, EXPERT = "01_data_construction", "02_vlm_dpo", "03_expert_lora"
FUSION, ANALYSIS = "04_fusion", "05_analysis"
WORLD = "world"
REASONS = ["twin", "own", "none"]
CHANGES = ["jpeg", "flip", "upend", "noise", "pepper", "blur", "sharpen", "colour", "grey"]
BLURS = ["gaussian", "gaussian 3", "gaussian 5", "median 3", "motion 5"]
SUPERVISIONS = ["semantic", "pixel", "mixed", "union"]


def _scale() -> Any:
    return param("mini", "scale of the experiment, the name of its recipes folder", filled=True)


def _seed() -> Any:
    return param(0, "seed of every random draw, 0 or more", least=0)


def _push() -> Any:
    return param("", "repository on the hub, user/name, branch and supervision are added to its name, empty for none")


def _check_repository(name: str) -> None:
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Refused(f"push_to_hub must be user/name, got {name!r}")


def _check_names(field: str, names: list[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Refused(f"{field} has {twice[0]!r} twice: names must differ")


def _supervision(pure: str) -> Any:
    text = "training set, semantic, pixel, half of each (mixed) or all of both (union)"
    return param(pure, text, choices=SUPERVISIONS)


@dataclasses.dataclass(frozen=True)
class DataParams(Params):
    """Parameters of notebook 01: which pictures, how many, how they are degraded and reconstructed."""

    scale: str = _scale()
    seed: int = _seed()
    plausible: str = param(
        "world", "real pictures of the semantic set, a folder or world", filled=True, source="folder"
    )
    implausible: str = param(
        "world", "surreal fakes of the semantic set, a folder or world", filled=True, source="folder"
    )
    photos: str = param("world", "real pictures of the pixel set, a folder or world", filled=True, source="folder")
    vae: str = param(
        "data/mini/vae/kl", "autoencoder that reconstructs, a folder or hub name", filled=True, source="model"
    )
    vae_revision: str = param("", "revision of the autoencoder on the hub, empty for the newest")
    vae_latent: str = param("mean", "latent that is decoded, the mean or one drawn", choices=["mean", "sampled"])
    pair_format: str = param(
        "original", "files of a pair, both encoded like the original or both lossless", choices=["original", "png"]
    )
    test: list[str] = param(
        ["world"], "test sets, world, labelled folders, CSV lists or NAME:DIR", filled=True, source="benchmark"
    )
    generators: list[str] = param(
        ["data/mini/vae"],
        "autoencoders that only test on the world, or folders of such",
        source="model",
    )
    held_out: list[str] = param(
        [], "violations and kinds of things of the world that are kept from training, tested apart"
    )
    train_images: int = param(2400, "pictures in each training set, both classes together, 0 for all", least=0)
    pixel_pairs: int = param(0, "pairs in the pixel training set, 0 for half of train_images", least=0)
    validation_images: int = param(400, "pictures in each validation set, both classes together, 2 or more", least=2)
    test_images: int = param(200, "test pictures per class and subset, 0 for all", least=0)
    image_size: int = param(112, "side of the pictures drawn or cropped, px, a multiple of 28", least=28, multiple=28)
    degrade_scale: list[float] = param(
        [0.5, 0.8], "downsampling factor, lowest and highest, above 0 to 1", above=0, most=1, pair=True
    )
    degrade_noise: list[float] = param(
        [2.0, 8.0], "noise sigma in grey levels of 255, lowest and highest", least=0, most=255, pair=True
    )
    degrade_blur: list[float] = param(
        [0.3, 0.9], "blur sigma in px, lowest and highest, 0 to 20", least=0, most=20, pair=True
    )
    degrade_jpeg: list[float] = param(
        [40.0, 80.0], "JPEG quality, lowest and highest, 1 to 100", least=1, most=100, pair=True
    )
    max_side: int = param(1024, "larger photographs are centre-cropped to this side, px, at least 64", least=64)
    workers: int = param(2, "processes that make pictures, 1 or more", least=1)

    def check(self) -> None:
        """Refuse odd halves, "all" of an endless world, and painted reals beside photographed fakes."""
        for name in ("train_images", "validation_images"):
            if getattr(self, name) % 2:
                raise Refused(f"{name} must be even, half real and half fake, got {getattr(self, name)}")
        if (self.plausible == WORLD) != (self.implausible == WORLD):
            raise Refused("plausible and implausible must both be world or both be folders: give the other one too")
        self._check_world()
        endless = {"train_images": [self.plausible, self.photos], "test_images": self.test}
        for name, places in endless.items():
            if WORLD in places and getattr(self, name) == 0:
                raise Refused(f"{name} is 0, which means all, but the world has no end: give a number")

    def _check_world(self) -> None:
        """Refuse what only the world could do where it takes no part, and names it does not know."""
        if self.vae in self.generators:
            raise Refused(f"{self.vae} makes the training fakes, so it is no generator that only tests: leave it out")
        _check_names("generators", [text.rstrip("/").rpartition("/")[2] for text in self.generators])
        if self.held_out and self.plausible != WORLD:
            raise Refused("held_out names violations of the world, but plausible is a folder: leave it out")
        if self.held_out:
            self._check_held_out()

    def _check_held_out(self) -> None:
        from aligngemini.mini.scenes import FAMILIES, KINDS

        _check_names("held_out", self.held_out)
        for name in set(self.held_out) - {*FAMILIES, *KINDS}:
            raise params.unknown(name, [*FAMILIES, *KINDS], "held_out", "violation or thing")
        for word, every in (("violation", FAMILIES), ("kind of thing", KINDS)):
            if set(every) <= set(self.held_out):
                raise Refused(f"held_out keeps every {word} from training: leave some in")


@dataclasses.dataclass(frozen=True)
class VLMParams(Params):
    """Parameters of notebook 02: preference tuning of the vision-language model."""

    scale: str = _scale()
    seed: int = _seed()
    data_run: str = param("latest", "run of notebook 01 to train on", filled=True, upstream=DATA)
    base: str = param("data/mini/vlm", "model to tune, a folder or hub name", filled=True, source="model")
    base_revision: str = param("", "revision of the model on the hub, empty for the newest")
    supervision: str = _supervision("semantic")
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
    learning_rate: float = param(2.0e-3, "step size of the optimiser, above 0 to 1", above=0, most=1)
    lora_rank: int = param(16, "rank of the LoRA adapters, 1 or more", least=1)
    lora_alpha: float = param(32.0, "LoRA alpha, the adapters are scaled by alpha over rank, above 0", above=0)
    lora_dropout: float = param(0.0, "dropout probability inside the adapters, 0 to 1", least=0, most=1)
    epochs: float = param(1.0, "passes over the training pairs, above 0", above=0)
    batch_size: int = param(16, "preference pairs per step, 1 or more", least=1)
    gradient_accumulation: int = param(1, "steps per weight update, 1 or more", least=1)
    max_pixels: int = param(12544, "pixels a picture may have before it is shrunk, at least 784", least=784)
    checkpoint_steps: int = param(50, "steps between checkpoints, 1 or more", least=1)
    score_batch_size: int = param(64, "pictures scored or labelled at once, 1 or more", least=1)
    gradient_checkpointing: bool = param(False, "recompute activations to save memory, slower")
    share_prompt: bool = param(False, "both answers behind one copy of their prompt, faster, equal but for rounding")
    explain_images: int = param(6, "test pictures explained in words, 0 or more", least=0)
    precision: str = param("auto", "arithmetic of the model", choices=["auto", "float32", "bfloat16"])
    quantise: str = param("", "weights of the base in 4bit, for small GPUs, or empty", choices=["", "4bit"])
    accelerate_config: str = param(
        "", "accelerate's file for several GPUs, empty for one process", source="file", besides=("",)
    )
    push_to_hub: str = _push()

    def check(self) -> None:
        """Refuse reasons that no one would read, and a name that no repository can have."""
        if self.labeller and self.reasons != "twin":
            raise Refused("reasons tells how remarks are used, but a labeller writes its own: leave one of them out")
        if self.labeller_revision and self.labeller in ("", "base"):
            raise Refused("labeller_revision is of a labeller other than the base, and there is none: leave it out")
        if self.quantise and self.accelerate_config:
            raise Refused("quantise saves room on one GPU, accelerate_config uses several: leave one of them out")
        _check_repository(self.push_to_hub)


@dataclasses.dataclass(frozen=True)
class ExpertParams(Params):
    """Parameters of notebook 03: LoRA training of the pixel expert on pairs."""

    scale: str = _scale()
    seed: int = _seed()
    data_run: str = param("latest", "run of notebook 01 to train on", filled=True, upstream=DATA)
    base: str = param("data/mini/expert", "backbone to tune, a folder or hub name", filled=True, source="model")
    base_revision: str = param("", "revision of the backbone on the hub, empty for the newest")
    supervision: str = _supervision("pixel")
    mode: str = param(
        "fixed", "what the released DDA code does (faithful) or what it meant (fixed)", choices=["faithful", "fixed"]
    )
    learning_rate: float = param(3.0e-3, "step size of the optimiser, above 0 to 1", above=0, most=1)
    lora_rank: int = param(8, "rank of the LoRA adapters, 1 or more", least=1)
    lora_alpha: float = param(8.0, "LoRA alpha, the adapters are scaled by alpha over rank, above 0", above=0)
    epochs: float = param(2.0, "passes over the training pairs, above 0", above=0)
    batch_pairs: int = param(16, "pairs of real and fake per step, 1 or more", least=1)
    gradient_accumulation: int = param(1, "steps per weight update, 1 or more", least=1)
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
    checkpoint_steps: int = param(50, "steps between checkpoints, 1 or more", least=1)
    score_batch_size: int = param(64, "pictures scored at once, 1 or more", least=1)
    push_to_hub: str = _push()

    def check(self) -> None:
        """Refuse a name that no repository can have."""
        _check_repository(self.push_to_hub)


@dataclasses.dataclass(frozen=True)
class FusionParams(Params):
    """Parameters of notebook 04: the rule that joins the two branches."""

    scale: str = _scale()
    seed: int = _seed()
    vlm_run: str = param("latest supervision:semantic", "run of notebook 02 to join", filled=True, upstream=VLM)
    expert_run: str = param("latest supervision:pixel", "run of notebook 03 to join", filled=True, upstream=EXPERT)
    rule: str = param("or", "rule that joins the two scores", choices=["or", "and", "max", "mean", "odds"])
    thresholds: str = param("validation", "where thresholds come from", choices=["validation", "fixed"])
    vlm_threshold: float = param(0.5, "score from which the VLM says fake, 0 to 1, used when fixed", least=0, most=1)
    expert_threshold: float = param(
        0.5, "score from which the expert says fake, 0 to 1, used when fixed", least=0, most=1
    )
    resamples: int = param(2000, "bootstrap resamples behind every interval, 100 or more", least=100)
    confidence: float = param(0.95, "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)


@dataclasses.dataclass(frozen=True)
class AnalysisParams(Params):
    """Parameters of notebook 05: which runs are compared and how."""

    scale: str = _scale()
    seed: int = _seed()
    fusion_run: str = param("latest", "run of notebook 04 to analyse", filled=True, upstream=FUSION)
    vlm_runs: list[str] = param(
        ["latest supervision:semantic", "latest supervision:mixed"],
        "runs of 02, the pure one first",
        filled=True,
        upstream=VLM,
    )
    expert_runs: list[str] = param(
        ["latest supervision:pixel", "latest supervision:mixed"],
        "runs of 03, the pure one first",
        filled=True,
        upstream=EXPERT,
    )
    resamples: int = param(2000, "bootstrap resamples behind every interval, 100 or more", least=100)
    confidence: float = param(0.95, "coverage of the intervals, 0.5 to 0.999", least=0.5, most=0.999)
    shown: int = param(12, "pictures shown per group in the report, 1 to 200", least=1, most=200)
