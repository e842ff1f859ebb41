"""The parts of an image-text-to-text model, found by the names that transformers itself goes by."""

import re

import torch

from aligngemini.core import adapters

TEXT = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"}  # all other inputs are of images


def core(model: torch.nn.Module) -> torch.nn.Module:
    """All but the vocabulary head: vision, projector and language model."""
    return adapters.base(model).base_model


def language_name(model: torch.nn.Module) -> str:
    """The name of the language model among the modules of the base, say model.language_model."""
    base = adapters.base(model)
    return next(name for name, module in base.named_modules() if module is base.get_decoder())


def lora_targets(model: torch.nn.Module) -> str:
    """A regular expression for the linear layers in the blocks of the language model, and for nothing else.

    The vision tower and the projector often have layers of the same names. Routers of experts (gate) are left out.
    """
    modules = adapters.base(model).get_decoder().named_modules()
    linear = [name for name, module in modules if "layers." in name and isinstance(module, torch.nn.Linear)]
    names = dict.fromkeys(name.rpartition(".")[2] for name in linear if not name.endswith("gate"))
    return rf"{re.escape(language_name(model))}\..*\.({'|'.join(names)})"


def beside_language(config) -> list[str]:
    """Names of all parts but the language model, of the model that a configuration describes."""
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    others = [name for name, part in core(model).named_children() if part is not model.get_decoder()]
    return [*(f"{model.base_model_prefix}.{name}" for name in others), "lm_head"]


def lacks(model: torch.nn.Module) -> str:
    """What this project needs of a model and does not find, "" where nothing is missing."""
    if adapters.base(model).get_decoder() in (core(model), adapters.base(model)):
        return "no language model of its own beside the vision tower"
    if not hasattr(core(model), "get_image_features"):
        return "no get_image_features"
    return "" if hasattr(core(model).config, "image_token_id") else "no image_token_id in its config.json"


def image_features(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """What the language model gets of the images of each row of a batch: [image tokens of the row, d] each."""
    images = {name: value for name, value in batch.items() if name not in TEXT}
    seen = torch.cat(tuple(core(model).get_image_features(**images, return_dict=True).pooler_output))
    return seen.split((batch["input_ids"] == core(model).config.image_token_id).sum(1).tolist())
