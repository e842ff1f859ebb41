"""The expert: a backbone of timm with LoRA inside and a linear head of one logit on what it pools."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from aligngemini.core import adapters, bfloat16_linear, devices, models, reading
from aligngemini.core.params import Refused

from . import architectures
from .params import ExpertParams
from .views import tensor

OFFSET = 0.1  # patches, added to a grid's side by DINOv2 when it resamples position embeddings
HEAD_STD = 0.02  # DDA initialises the head from N(0, 0.02)
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # OpenAI's mean and deviation


@dataclass(frozen=True)
class Probe:
    """Says that an image is degraded where `Expert.frozen` @ weights, float64 [3 d], + bias is 0 or more."""

    weights: np.ndarray
    bias: float


@dataclass
class Expert:
    """A model giving one logit per image, with the colour mean and deviation that images are brought to.

    metadata: name, revision and architecture of the base. released: computed as the DDA code does, in float32
    throughout; else `precision` is that of the backbone, see `devices.autocast`. probe: says which images are too
    degraded to be judged; None judges all.
    """

    model: torch.nn.Module
    mean: torch.Tensor
    std: torch.Tensor
    metadata: dict[str, str] = field(default_factory=dict)
    released: bool = False
    precision: str = devices.AUTO
    probe: Probe | None = None

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def judged(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pooled feature [n, d] and the logit of being fake, [n], of uint8 images [n, 3, H, W]; both float32.

        Raises Refused unless H and W are multiples of the patch size.
        """
        feature = self._seen(images, architectures.pooled)
        # outside autocast: bfloat16 would leave scores eight bits
        return feature, adapters.base(self.model).get_classifier()(feature).squeeze(1)

    @torch.inference_mode()
    def frozen(self, crops: list[np.ndarray]) -> np.ndarray:
        """Pooled feature, mean and deviation of the features of the patches, without LoRA, of uint8 crops [size, size,
        3]: float64 [n, 3 d].
        """
        with self.model.disable_adapter() if hasattr(self.model, "disable_adapter") else nullcontext():
            pooled, patches = (devices.double(each) for each in self.features(tensor(crops)))
        spread = patches.std(1, correction=min(1, patches.shape[1] - 1))  # one place alone has none
        return torch.cat([pooled, patches.mean(1), spread], 1).cpu().numpy()

    def pixels(self, images: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, H, W] on the model's device, brought to its mean and deviation, of images of 0 to 255."""
        return self.moved(images).float().div_(255).sub_(self.mean).div_(self.std)

    def moved(self, images: torch.Tensor) -> torch.Tensor:
        """The images on the model's device."""
        pinned = images.is_pinned()  # from other memory, Apple GPUs read after it is given back (pytorch#189690)
        return images.to(self.device, non_blocking=pinned)

    def features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What `architectures.features` gives of images of 0 to 255, [n, 3, H, W]. Raises Refused for other sides."""
        return self._seen(images, architectures.features)

    def _seen(self, images: torch.Tensor, see: Callable) -> Any:
        patch = architectures.patch(adapters.base(self.model))
        if any(side % patch for side in images.shape[2:]):
            raise Refused(f"the crop must be a multiple of {patch} px, the patch size of {self.metadata.get('base')}")
        with nullcontext() if self.released else devices.autocast(self.device, self.precision):
            return see(adapters.base(self.model), self.pixels(images))

    @torch.inference_mode()
    def p_fake(self, crops: list[np.ndarray], frozen: np.ndarray | None = None) -> np.ndarray:
        """The sigmoid of the logits of uint8 crops [size, size, 3], float64 [n]; 0 where its probe says degraded by
        what `frozen` gives, if that is known already.
        """
        p_fake = devices.double(self.judged(tensor(crops))[1]).sigmoid().cpu().numpy()
        if self.probe is None:
            return p_fake
        frozen = self.frozen(crops) if frozen is None else frozen
        return p_fake * (frozen @ self.probe.weights + self.probe.bias < 0)


def load(base: str, revision: str = "", normalisation: str = "base") -> Expert:
    """Load a backbone from a folder in timm's hub format or from the hub, with a fresh head; raises Refused.

    normalisation: "base" brings images to the mean and deviation that the base was trained with, "clip" to those
    of CLIP, as DDA does.
    """
    import timm

    place = models.where(base, "expert base")
    source = f"local-dir:{place}" if Path(place).is_dir() else f"hf-hub:{place}{f'@{revision}' if revision else ''}"
    with models.loading(base, "expert base"):
        model = architectures.build(_architecture(source), source)
        architectures.check_colours(model)
    torch.nn.init.normal_(model.get_classifier().weight, std=HEAD_STD)
    torch.nn.init.zeros_(model.get_classifier().bias)
    own = timm.data.resolve_model_data_config(model)
    metadata = {"base": base, "revision": models.commit(base, revision)}
    metadata["architecture"] = model.pretrained_cfg["architecture"]
    return placed(model, *(CLIP if normalisation == "clip" else (own["mean"], own["std"])), metadata)


def check(base: str) -> None:
    """Raise Refused if notebook 03 cannot take the backbone in the folder `base`, as far as its config.json says."""
    with models.loading(base, "expert base"):
        architectures.find(_architecture(f"local-dir:{models.where(base, 'expert base')}"))


def _architecture(source: str) -> str:
    """timm's name of what a folder or a repository holds, by its config.json alone."""
    from timm.models import load_model_config_from_hf

    kind, _, place = source.partition(":")
    if kind == "hf-hub":
        return load_model_config_from_hf(place)[1]
    if not (config := Path(place) / "config.json").is_file():
        raise ValueError("it has no config.json, as timm's save_for_hf writes it")
    name = reading.json(config).get("architecture")
    if not isinstance(name, str):
        raise ValueError("its config.json names no architecture, as timm's do")
    return name


def placed(model: torch.nn.Module, mean, std, metadata: dict[str, str]) -> Expert:
    """The expert on the fastest device at hand, its constants beside it."""
    devices.tune_allocator(model)
    bfloat16_linear.make(model)
    where = torch.device(devices.best())
    return Expert(model.to(where), colours(mean, where), colours(std, where), metadata)


def colours(values, device: torch.device) -> torch.Tensor:
    """Three values as float32 [1, 3, 1, 1]."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def as_released(expert: Expert) -> Expert:
    """The expert computed as the DDA code does: in float32, with DINOv2's own resampling of position embeddings.

    timm resamples them with antialiasing, as DINOv2 itself does with registers alone.
    """
    if expert.model.pretrained_cfg["architecture"].endswith("dinov2") and expert.model.reg_token is None:
        expert.model._pos_embed = MethodType(_with_positions, expert.model)
    return replace(expert, released=True)


def _with_positions(model, patches: torch.Tensor) -> torch.Tensor:
    """Class token and `patches` [n, rows, columns, d] with their positions, [n, 1 + rows columns, d], as DINOv2 does.

    Its bicubic steps have an offset of 0.1 and no antialiasing (facebookresearch/dinov2, interpolate_pos_encoding).
    """
    wanted, own = patches.shape[1:3], model.patch_embed.grid_size
    table = model.pos_embed[:, 1:].unflatten(1, own).permute(0, 3, 1, 2)
    if wanted != own:
        steps = [(now + OFFSET) / before for now, before in zip(wanted, own, strict=True)]
        table = functional.interpolate(table.float(), scale_factor=steps, mode="bicubic").to(patches)
    first = (model.cls_token + model.pos_embed[:, :1]).expand(len(patches), -1, -1)
    return torch.cat([first, patches.flatten(1, 2) + table.flatten(2).mT], 1)


def lora(expert: Expert, config: ExpertParams):
    """The `LoraConfig` for a backbone and notebook 03's parameters; the head is saved with the adapter."""
    from peft import LoraConfig

    adapted = architectures.find(expert.model.pretrained_cfg["architecture"]).adapted
    sizes = {"r": config.lora_rank, "lora_alpha": config.lora_alpha}
    return LoraConfig(**sizes, target_modules=adapted, modules_to_save=[architectures.head(expert.model)])


def with_lora(expert: Expert, config: ExpertParams) -> Expert:
    """Freeze the backbone and add trainable LoRA; the head trains too, unless `config.mode` is faithful.

    The released DDA code never trains its head: its optimiser receives an exhausted generator. See `as_released`.
    """
    from peft import get_peft_model

    from aligngemini.core.lora import lean

    expert = as_released(expert) if config.mode == "faithful" else expert
    model = get_peft_model(expert.model, lora(expert, config))
    adapters.base(model).get_classifier().modules_to_save.requires_grad_(config.mode == "fixed")
    return replace(expert, model=lean(model), precision=config.precision)


def trainable(expert: Expert) -> pd.DataFrame:
    """Which weights train: one row per trainable tensor with its number of values."""
    rows = [(name, weight.numel()) for name, weight in expert.model.named_parameters() if weight.requires_grad]
    return pd.DataFrame(rows, columns=["weight", "values"])
