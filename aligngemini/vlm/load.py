"""Load a vision-language base, from the hub or from a folder in hub format: any image-text-to-text model of
transformers with a chat template. No code of its own is ever run.
"""

import gc
import os
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self

import torch

from aligngemini.core import bfloat16_linear, devices, models
from aligngemini.core.params import Refused

from . import image_size, parts, patch_embedding, template

CODE = {"trust_remote_code": False}  # neither run nor asked about


@dataclass
class VLM:
    """A model with its processor, which shrinks images to `max_pixels` (0: as the base says); `device` is where it
    lives.
    """

    model: Any
    processor: Any
    max_pixels: int = 0

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def on(self, device: torch.device) -> Self:
        """A copy on another device. Raises ValueError if it is quantised."""
        return devices.copied(self, self.model, device)


def dtype_for(precision: str) -> torch.dtype:
    """The dtype of a precision name; auto is float32 on a CPU, bfloat16 on a GPU (older ones imitate it)."""
    return getattr(torch, devices.number(precision, "bfloat16"))


def load(base: str, revision: str = "", precision: str = "auto", max_pixels: int = 0, quantise: str = "") -> VLM:
    """Load base and processor; images larger than `max_pixels` (0: as the base says) are reduced by the processor.

    `base` is a folder (relative ones start at the project) or a hub name; `quantise` is "" or "4bit". Raises Refused
    with the next step.
    """
    if gc.isenabled():  # a model that only a trainer still holds, and nobody the trainer, makes way first
        gc.collect()
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.utils import logging

    name, dtype, bits = models.where(base, "VLM base"), dtype_for(precision), quantised(quantise)
    logging.disable_progress_bar()  # in a notebook it is a widget, which a report cannot show
    ignore_older_names()
    options = CODE | ({"revision": revision} if revision else {})
    with models.loading(base, "VLM base"):
        processor = load_processor(name, options)
        config = AutoConfig.from_pretrained(name, **options)
        if quantise:  # of 4-bit weights too, whatever its name says
            bits["quantization_config"].llm_int8_skip_modules = parts.beside_language(config)
        model, report = AutoModelForImageTextToText.from_pretrained(
            name, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **bits, **options
        )
        if report["missing_keys"]:  # transformers would draw them
            raise ValueError(f"its weights lack {len(report['missing_keys'])} tensors")
        if why := parts.lacks(model):
            raise ValueError(f"the model has {why}, which its scores need; choose one of another family")
    patch_embedding.make(model)
    bfloat16_linear.make(model)
    devices.tune_allocator(model)
    if max_pixels:
        image_size.limit(processor.image_processor, max_pixels)
    return VLM((model if quantise else model.to(place())).eval(), processor, max_pixels)


def check(base: str) -> None:
    """Raise Refused if notebook 02 cannot take `base`, as far as this shows without its weights."""
    with models.loading(base, "VLM base"):
        load_processor(models.where(base, "VLM base"), CODE)


def load_processor(name: str, options: dict[str, Any]) -> Any:
    """The processor of an image-text-to-text model; raises ValueError if it cannot be asked about an image."""
    from transformers import AutoProcessor

    check_kind(name, options)
    processor = AutoProcessor.from_pretrained(name, **options)
    template.check(processor)
    return processor


def ignore_older_names() -> None:
    """Let nothing be said of a setting that peft, TRL and accelerate still call by its older name."""
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)


def check_kind(name: str, options: dict[str, Any]) -> None:
    """Raise ValueError unless transformers has an image-text-to-text model of the type that `name` says it is."""
    from transformers import PreTrainedConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KINDS

    kind = PreTrainedConfig.get_config_dict(name, **options)[0].get("model_type")
    if kind not in KINDS:
        raise ValueError(
            f"its config.json describes a model of type {kind!r}, which is no image-text-to-text model of the "
            "installed transformers; choose another, or the same model as converted for transformers (often named -hf)"
        )


def place() -> str:
    """The device of this process: its own GPU, or the CPU where there is none, or where FSDP or DeepSpeed puts the
    model in pieces itself.
    """
    pieces = any(os.environ.get(f"ACCELERATE_USE_{name}") == "true" for name in ("FSDP", "DEEPSPEED"))
    kind = "cpu" if pieces else devices.best()
    return f"{kind}:{os.environ.get('LOCAL_RANK', 0)}" if kind in devices.NARROW else kind


def quantised(how: str) -> dict[str, Any]:
    """What `from_pretrained` needs for 4-bit weights as QLoRA has them: nf4, constants quantised too, computing in
    bfloat16. `load` lets all but the language model stay as it is (ours). Raises Refused without GPU or package.
    """
    if not how:
        return {}
    if not torch.cuda.is_available():
        raise Refused(f"quantise {how} needs a GPU, and there is none here: leave it empty.")
    if find_spec("bitsandbytes") is None:
        raise Refused(f"quantise {how} needs bitsandbytes: `pip install -e '.[quantise]'`, or leave it empty.")
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": config, "device_map": {"": place()}}


def adapted_modules(model) -> list[str]:
    """Names of the modules that carry LoRA weights, for the record."""
    names = [name.split(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A" in name]
    return sorted({name.removeprefix("base_model.model.") for name in names})
