"""Save a trained expert adapter with the metadata needed to use it without its run, and put it on its backbone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from aligngemini.branches import registry
from aligngemini.core import adapters, devices
from aligngemini.core.params import Refused

from . import degradation
from .backbone import Expert, as_released, colours
from .params import ExpertParams

SUMMARY = (
    "A LoRA adapter and a linear head that let a vision backbone say whether an image carries traces of a decoder: "
    "the pixel branch of AlignGemini, trained on photographs and their reconstructions. One logit for the centre crop, "
    "padded with black where an image is smaller, never resized; above 0 it says fake."
)
ABSTAINS = (
    " An image that looks degraded to a linear probe on the frozen backbone (`degradation.json`) gets the score 0: "
    "what has lost its traces cannot be judged by them."
)
APART = ("scale", "data_run", "base", "base_revision", "workers", "checkpoint_steps", "score_batch_size", "push_to_hub")


def facts(expert: Expert, config: ExpertParams, pairs: int, updates: int) -> dict[str, Any]:
    """What PEFT forgets: base, revision, architecture, mean and deviation, how much it saw, parameters of training."""
    # the shortest numbers that are these float32 again
    values = {name: getattr(expert, name).flatten().cpu().numpy() for name in ("mean", "std")}
    shares = {name: [float(str(value)) for value in each] for name, each in values.items()}
    params = {name: value for name, value in config.model_dump().items() if name not in APART}
    return expert.metadata | shares | {"pairs": pairs, "updates": updates} | params


def save(expert: Expert, folder: Path, facts: dict[str, Any], kind: str = "expert", summary: str = SUMMARY) -> Path:
    """Write adapter and head with their facts and the model card of a branch of that `kind`."""
    summary += ABSTAINS if expert.probe else ""
    title = "Pixel branch" if kind == "expert" else registry.title(kind)
    card = adapters.card(title, summary, facts, registry.USE.format(kind=kind))
    if expert.probe:
        degradation.save(expert.probe, folder)
    return adapters.save(expert.model.eval(), folder, facts, card)


def with_adapter(expert: Expert, folder: Path) -> Expert:
    """The backbone with a saved adapter and its head on it, computed and with colours as it was trained.

    Raises Refused if it belongs to another architecture, or if a single weight is missing or too many.
    """
    from aligngemini.core.lora import lean

    metadata, here = adapters.facts(folder), expert.metadata["architecture"]
    made_for = metadata.get("architecture", "another architecture")
    if made_for != here:
        raise Refused(f"The adapter {folder} was made for {made_for}, not for {here}: load {metadata['base']} instead.")
    try:
        shares = {name: colours([float(value) for value in metadata[name]], expert.device) for name in ("mean", "std")}
    except (LookupError, TypeError, ValueError) as error:
        raise Refused(f"{folder} does not say what colours its adapter was trained on: train it again.") from error
    expert = as_released(expert) if metadata.get("mode") == "faithful" else expert
    probe = degradation.load(folder, expert.model.num_features)
    precision = metadata.get("precision", devices.AUTO)
    model = lean(adapters.put(expert.model, folder))
    return replace(expert, model=model, probe=probe, precision=precision, **shares)
