"""The expert: a timm DINOv2 backbone with LoRA on every block's linear layers and a linear head on the class token."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import torch

from ..workbook import models

# DDA's choice (its Training/ code): attention qkv and proj, MLP fc1 and fc2 of every block. Anchored on the blocks,
# since the patch embedding has a `proj` too.
TARGETS = r"blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(fc1|fc2))"
HEAD_STD = 0.02  # DDA initialises the head from N(0, 0.02)
# One logit from the class token after the last norm, for pictures of any size; timm's own choice for DINOv2, held here.
HEAD = {"num_classes": 1, "global_pool": "token", "dynamic_img_size": True}
CLIP = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)  # mean and deviation as OpenAI has them


@dataclass
class Expert:
    """A model giving one logit per picture, with the colour mean and deviation that pictures are brought to.

    told: what identifies the base: its name, revision and architecture.
    """

    model: torch.nn.Module
    mean: torch.Tensor
    std: torch.Tensor
    told: dict[str, str] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """float32 [n] logits of being fake for uint8 pictures [n, 3, H, W]; H and W are multiples of the patch size."""
        return self.judged(pictures)[1]

    def judged(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class token after the last norm, [n, d], and `logits`, which are one linear layer away from it."""
        pixels = pictures.to(self.device, non_blocking=True).float().div_(255)
        model = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        seen = model.forward_features(pixels.sub_(self.mean).div_(self.std))
        feature = model.forward_head(seen, pre_logits=True)
        return feature, model.head(feature).float().squeeze(1)


def load(base: str, revision: str = "", normalisation: str = "base") -> Expert:
    """Load a backbone from a folder in timm's hub format or from the hub, with a fresh head; raises Refused.

    normalisation: "base" brings pictures to the mean and deviation that the base was trained with, "clip" to those
    of CLIP, as DDA does.
    """
    import timm

    place = models.where(base, "expert base")
    name = f"local-dir:{place}" if Path(place).is_dir() else f"hf-hub:{place}{f'@{revision}' if revision else ''}"
    try:
        model = timm.create_model(name, pretrained=True, **HEAD)
    except (OSError, RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise models.unloadable(base, "expert base", error) from error
    torch.nn.init.normal_(model.head.weight, std=HEAD_STD)
    torch.nn.init.zeros_(model.head.bias)
    facts = timm.data.resolve_model_data_config(model)
    mean, std = CLIP if normalisation == "clip" else (facts["mean"], facts["std"])
    told = {
        "base": base,
        "revision": models.commit(base, revision),
        "architecture": model.pretrained_cfg["architecture"],
    }
    return placed(model, mean, std, told)


def placed(model, mean, std, told: dict[str, str] | None = None) -> Expert:
    """The expert on the fastest device at hand, its constants beside it."""
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Expert(model.to(where), colours(mean, where), colours(std, where), told or {})


def colours(values, device: torch.device) -> torch.Tensor:
    """Three values as float32 [1, 3, 1, 1]."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def with_lora(expert: Expert, cfg) -> Expert:
    """Freeze the backbone and add trainable LoRA; the head trains too, unless `cfg.mode` is faithful.

    The released DDA code never trains its head: its optimiser receives an exhausted generator.
    """
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=cfg.lora_rank, lora_alpha=cfg.lora_alpha, target_modules=TARGETS, modules_to_save=["head"])
    model = get_peft_model(expert.model, lora)
    for name, weight in model.named_parameters():
        if "head" in name and "modules_to_save" in name:
            weight.requires_grad_(cfg.mode == "fixed")
    return replace(expert, model=model)


def trainable(expert: Expert) -> pd.DataFrame:
    """Which weights train: one row per trainable tensor with its number of values."""
    rows = [(name, weight.numel()) for name, weight in expert.model.named_parameters() if weight.requires_grad]
    return pd.DataFrame(rows, columns=["weight", "values"])
