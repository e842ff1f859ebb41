"""The expert: a timm DINOv2 backbone with LoRA on every block's linear layers and a linear head on the class token."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from ..workbook import models
from ..workbook.params import Refused

# DDA's choice (its Training/ code): attention qkv and proj, MLP fc1 and fc2 of every block. Anchored on the blocks,
# since the patch embedding has a `proj` too.
TARGETS = r"blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(fc1|fc2))"
HEAD_STD = 0.02  # DDA initialises the head from N(0, 0.02)


@dataclass
class Expert:
    """A model giving one logit per picture, with the colour mean and deviation that its base was trained with."""

    model: torch.nn.Module
    mean: torch.Tensor
    std: torch.Tensor

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """float32 [n] logits of being fake for uint8 pictures [n, 3, H, W]; H and W are multiples of the patch size."""
        pixels = pictures.to(self.device).float().div_(255)
        return self.model(pixels.sub_(self.mean).div_(self.std)).float().squeeze(1)


def load(base: str, revision: str = "") -> Expert:
    """Load a backbone from a folder in timm's hub format or from the hub, with a fresh head; raises Refused."""
    import timm

    place = models.where(base, "expert base")
    name = f"local-dir:{place}" if Path(place).is_dir() else f"hf-hub:{place}{f'@{revision}' if revision else ''}"
    try:
        model = timm.create_model(name, pretrained=True, num_classes=1, dynamic_img_size=True)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise models.unloadable(base, "expert base", error) from error
    torch.nn.init.normal_(model.head.weight, std=HEAD_STD)
    torch.nn.init.zeros_(model.head.bias)
    facts = timm.data.resolve_model_data_config(model)
    return placed(model, facts["mean"], facts["std"])


def placed(model, mean, std) -> Expert:
    """The expert on the fastest device at hand, its constants beside it."""
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    mean, std = (torch.tensor(values, device=where).view(1, 3, 1, 1) for values in (mean, std))
    return Expert(model.to(where), mean, std)


def with_lora(expert: Expert, rank: int, alpha: float, train_head: bool = True) -> Expert:
    """Freeze the backbone and add trainable LoRA; the head trains too unless `train_head` is False.

    The released DDA code never trains its head (its optimiser receives an exhausted generator); False repeats that.
    """
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules=TARGETS, modules_to_save=["head"])
    model = get_peft_model(expert.model, lora)
    for name, weight in model.named_parameters():
        if "head" in name and "modules_to_save" in name:
            weight.requires_grad_(train_head)
    return Expert(model, expert.mean, expert.std)


def with_adapter(expert: Expert, folder: Path) -> Expert:
    """Put a saved adapter and its head on the backbone; raises Refused if it does not fit."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        try:
            model = PeftModel.from_pretrained(expert.model, folder)
        except (UserWarning, RuntimeError, ValueError, OSError) as error:
            raise Refused(f"The adapter {folder} does not fit this base: {str(error).splitlines()[0]}") from error
    return Expert(model.eval(), expert.mean, expert.std)


def trainable(expert: Expert) -> pd.DataFrame:
    """Which weights train: one row per trainable tensor with its number of values."""
    rows = [(name, weight.numel()) for name, weight in expert.model.named_parameters() if weight.requires_grad]
    return pd.DataFrame(rows, columns=["weight", "values"])
