"""Load a Qwen2.5-VL base, from the hub or from a folder in hub format, and show it images of a size that it sees."""

import gc
import os
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from PIL import Image

from aligngemini.core import models
from aligngemini.core.params import Refused
from aligngemini.images import aspect
from aligngemini.images.header import Unreadable

SMALL = 256 * 256  # pixels; images up to this stay as they are, for any model
FAR = 4  # times the pixels that the model sees; only larger images are reduced here, so that others stay as they are


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


def dtype_for(precision: str) -> torch.dtype:
    """The dtype of a precision name; auto is float32 on a CPU, bfloat16 on a GPU (older ones imitate it)."""
    return getattr(torch, models.number(precision, "bfloat16"))


def load(base: str, revision: str = "", precision: str = "auto", max_pixels: int = 0, quantise: str = "") -> VLM:
    """Load base and processor; images larger than `max_pixels` (0: as the base says) are reduced by the processor.

    `base` is a folder (relative ones start at the project) or a hub name; `quantise` is "" or "4bit". Raises Refused
    with the next step.
    """
    gc.collect()  # a model that only a trainer still holds, and nobody the trainer, makes way first
    from transformers import AutoConfig, AutoProcessor, Qwen2_5_VLForConditionalGeneration
    from transformers.utils import logging

    name = models.where(base, "VLM base")
    logging.disable_progress_bar()  # in a notebook it is a widget, which a report cannot show
    # peft, TRL and accelerate still call a setting by its older name.
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
    options = {"revision": revision} if revision else {}
    numbers = {"dtype": dtype_for(precision), **quantised(quantise)}
    with models.loading(base, "VLM base"):
        processor = AutoProcessor.from_pretrained(name, **options)
        processor.apply_chat_template([{"role": "user", "content": "?"}])  # a broken template says so only when used
        config = AutoConfig.from_pretrained(name, **options)
        if config.model_type != "qwen2_5_vl":  # what it leaves out would be taken from the base of 7 billion weights
            raise ValueError(f"its config.json describes a model of type {config.model_type!r}, not qwen2_5_vl")
        model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            name, config=config, use_safetensors=True, output_loading_info=True, **numbers, **options
        )
        if report["missing_keys"]:  # transformers would draw them
            raise ValueError(f"its weights lack {len(report['missing_keys'])} tensors")
    if max_pixels:
        processor.image_processor.size = {"shortest_edge": 28 * 28, "longest_edge": max_pixels}
    return VLM((model if quantise else model.to(place())).eval(), processor, max_pixels)


def place() -> str:
    """The device of this process: its own GPU, or the CPU where there is none, or where FSDP or DeepSpeed puts the
    model in pieces itself.
    """
    pieces = any(os.environ.get(f"ACCELERATE_USE_{name}") == "true" for name in ("FSDP", "DEEPSPEED"))
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() and not pieces else "cpu"


def quantised(how: str) -> dict[str, Any]:
    """What `from_pretrained` needs for 4-bit weights as QLoRA has them: nf4, constants quantised too, computing in
    bfloat16. The vision tower and the vocabulary stay as they are (ours). Raises Refused without GPU or package.
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
        llm_int8_skip_modules=["model.visual", "lm_head"],  # of 4-bit weights too, whatever its name says
    )
    return {"quantization_config": config, "device_map": {"": place()}}


def look(vlm: VLM, image: Image.Image | np.ndarray) -> Image.Image:
    """A PIL image, or uint8 [H, W, 3], as a PIL image of at most about FAR times the pixels that the model sees.

    It is resized as the processor does it, with the same filter to the same size, so that none is larger in memory than
    it is seen. Raises Unreadable if it is too long.
    """
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if why := aspect.reason(image.width, image.height):
        raise Unreadable(why)
    if image.width * image.height <= SMALL:
        return image
    own = vlm.processor.image_processor
    rules = own.patch_size * own.merge_size, own.size["shortest_edge"], own.size["longest_edge"]
    height, width = smart_resize(image.height, image.width, *rules)
    excess = image.width * image.height / (width * height)
    if excess <= FAR:
        return image
    if smart_resize(height, width, *rules) == (height, width):
        return image.resize((width, height), own.resample)
    return image.reduce(int((excess / FAR) ** 0.5) + 1)  # a strip so thin that it is resized once more


def adapted_modules(model) -> list[str]:
    """Names of the modules that carry LoRA weights, for the record."""
    names = [name.split(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A" in name]
    return sorted({name.removeprefix("base_model.model.") for name in names})
