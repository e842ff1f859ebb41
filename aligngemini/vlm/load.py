"""Load a Qwen2.5-VL base, from the hub or from a folder in hub format, and put an adapter on it."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from ..workbook import models
from ..workbook.params import Refused


@dataclass
class VLM:
    """A model with its processor; `device` is where it lives."""

    model: torch.nn.Module
    processor: object

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def dtype_for(precision: str) -> torch.dtype:
    """The dtype of a precision name; auto is bfloat16 on a GPU that computes in it and float32 elsewhere."""
    if precision == "auto":
        return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32
    return getattr(torch, precision)


def load(base: str, revision: str = "", precision: str = "auto", max_pixels: int = 0) -> VLM:
    """Load base and processor; pictures larger than `max_pixels` (0: as the base says) are reduced by the processor.

    `base` is a folder (relative ones start at the project) or a hub name. Raises Refused with the next step.
    """
    from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration
    from transformers.utils import logging

    name = models.where(base, "VLM base")
    logging.disable_progress_bar()  # in a notebook it is a widget, which a report cannot show
    # peft and TRL still ask the model by a setting's older name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    options = {"revision": revision} if revision else {}
    try:
        processor = AutoProcessor.from_pretrained(name, **options)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            name, dtype=dtype_for(precision), use_safetensors=True, **options
        )
    except (OSError, ValueError) as error:
        raise models.unloadable(base, "VLM base", error) from error
    if max_pixels:
        processor.image_processor.size = {"shortest_edge": 28 * 28, "longest_edge": max_pixels}
    return VLM(model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), processor)


def with_adapter(vlm: VLM, folder: Path) -> VLM:
    """Put the adapter in `folder` on the base.

    Raises Refused if it does not fit (peft itself would only warn and leave the adapter at zero) or changes nothing.
    """
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        try:
            model = PeftModel.from_pretrained(vlm.model, folder)
        except (UserWarning, RuntimeError, ValueError, OSError) as error:
            raise Refused(f"The adapter {folder} does not fit this base: {str(error).splitlines()[0]}") from error
    if not any(p.abs().max() > 0 for n, p in model.named_parameters() if "lora_B" in n):
        raise Refused(f"The adapter {folder} is all zeros: it was saved before training or does not fit this base.")
    return VLM(model.eval(), vlm.processor)


def adapted_modules(model) -> list[str]:
    """Names of the modules that carry LoRA weights, for the record."""
    return sorted(
        {n.split(".lora_A")[0].removeprefix("base_model.model.") for n, _ in model.named_parameters() if ".lora_A" in n}
    )
