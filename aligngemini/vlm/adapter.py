"""Save a trained VLM adapter with the metadata needed to use it without its run, and put it on its base."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from aligngemini.branches import registry
from aligngemini.core import adapters, models
from aligngemini.core.params import Refused

from .load import VLM
from .params import VLMParams
from .verdict import QUESTION, VERDICTS

PARAMS = ("precision", "max_pixels", "quantise", "supervision", "objective", "labeller", "beta", "learning_rate")
PARAMS += ("lora_rank", "lora_alpha", "lora_dropout", "labeller_revision", "epochs", "batch_size")
PARAMS += ("gradient_accumulation", "seed")
SENTENCES = {"question": QUESTION, "verdict_real": VERDICTS[0], "verdict_fake": VERDICTS[1]}
SIZES = ("patch_size", "merge_size", "max_image_size", "max_patches")  # of image processors, besides their size
PACKAGES = ("torch", "transformers", "trl", "peft")
SUMMARY = (
    "A LoRA adapter that lets a vision-language model say whether an image is real or generated, by its meaning: the "
    "semantic branch of AlignGemini, trained on pairs of a right and a wrong verdict."
)


def facts(config: VLMParams, pairs: int, processor) -> dict[str, Any]:
    """What PEFT forgets, of parameters of notebook 02, the number of training pairs and the processor."""
    facts = {"base": config.base, "revision": models.commit(config.base, config.base_revision)}
    facts |= {name: getattr(config, name) for name in PARAMS}
    own = vars(processor.image_processor)
    sizes = {"size": dict(own.get("size") or {})} | {name: own[name] for name in SIZES if own.get(name)}
    versions = {name: metadata.version(name) for name in PACKAGES}
    return facts | {"pairs": pairs, "processor": sizes} | SENTENCES | {"packages": versions}


def save(model, folder: Path, facts: dict[str, Any], weights: dict | None = None) -> Path:
    """Write the adapter with its facts and a model card; `weights` as in `adapters.save`."""
    card = adapters.card("Semantic branch", SUMMARY, facts, registry.USE.format(kind="vlm"))
    return adapters.save(model, folder, facts, card, weights)


def with_adapter(vlm: VLM, folder: Path) -> VLM:
    """The base with a saved adapter on it.

    Raises Refused if it does not fit (peft itself would only warn and leave the adapter at zero) or changes nothing,
    and if it answers another question than this code asks: its scores would mean nothing.
    """
    saved = adapters.facts(folder)
    for name, text in SENTENCES.items():
        if (theirs := saved.get(name)) != text:
            raise Refused(f"The adapter {folder} was trained on another {name} ({theirs!r}): train it again.")
    model = adapters.put(vlm.model, folder)
    if not any(weight.abs().max() > 0 for name, weight in model.named_parameters() if "lora_B" in name):
        raise Refused(f"The adapter {folder} is all zeros: it was saved before training or does not fit this base.")
    return replace(vlm, model=model)
