"""A trained expert on disk: a PEFT adapter, and beside it what PEFT does not keep, for programs and for people."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

from ..workbook.manifest import write_json
from ..workbook.params import Refused
from .backbone import Expert, colours

FACTS = "expert.json"
WEIGHTS = "adapter_model.safetensors"
CARD = """\
---
library_name: peft
base_model: {base}
tags: [aligngemini, image-forensics, lora]
---
# Pixel expert on {architecture}

One logit per picture: above 0 it looks like the work of a decoder, below like a camera's. Trained by the AlignGemini
workbook, notebook 03, with LoRA on every block and one linear layer on the class token after the last norm.

- **base**: `{base}`, revision `{revision}`
- **pictures**: centre crop of {crop} px, padded with black where smaller, never resized
- **colours**: mean {mean}, deviation {std}, of values in 0 to 1
- **training**: {pairs} pairs of the {supervision} set, {updates} updates of {together} pairs, mode {mode}, seed {seed}

Load it with `kept.with_adapter(backbone.load("{base}", "{revision}"), folder)`, from `aligngemini.expert`.

| parameter | value |
|---|---|
"""


def write(expert: Expert, cfg, counts: dict[str, int], folder: Path) -> None:
    """Write adapter and head, `expert.json` (base, revision, architecture, crop, mean, std, parameters) and README.md.

    counts: pairs and updates of the training.
    """
    expert.model.eval().save_pretrained(folder)
    # the shortest numbers that are these float32 again
    mean, std = (
        [float(str(value)) for value in values.flatten().cpu().numpy()] for values in (expert.mean, expert.std)
    )
    facts = expert.told | {"crop": cfg.crop, "mean": mean, "std": std} | counts | {"params": asdict(cfg)}
    write_json(folder / FACTS, facts)
    (folder / "README.md").write_text(card(facts), encoding="utf-8")


def card(facts: dict) -> str:
    """The model card of what `write` keeps, as Markdown."""
    params = facts["params"]
    together = params["batch_pairs"] * params["gradient_accumulation"]
    named = {key: params[key] for key in ("supervision", "mode", "seed")}
    rows = [f"| {name} | {json.dumps(value)} |" for name, value in params.items()]
    shown = facts | {"revision": facts["revision"] or "newest"}
    return CARD.format(**shown, **named, together=together) + "\n".join(rows) + "\n"


def with_adapter(expert: Expert, folder: Path) -> Expert:
    """Put a saved adapter and its head on the backbone, with the mean and deviation it was trained with.

    Raises Refused if it belongs to another architecture, or if a single weight is missing or too many.
    """
    from peft import PeftModel

    facts, names = _facts(Path(folder), expert), _names(Path(folder))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing adapter keys.*")  # compared below, in both directions
        try:
            model = PeftModel.from_pretrained(expert.model, folder)
        except (RuntimeError, ValueError, OSError) as error:
            raise Refused(f"The adapter {folder} does not fit this base: {str(error).splitlines()[0]}") from error
    _compare(model, names, folder)
    mean, std = (colours(facts[name], expert.device) if facts else getattr(expert, name) for name in ("mean", "std"))
    return replace(expert, model=model.eval(), mean=mean, std=std)


def _facts(folder: Path, expert: Expert) -> dict:
    """What lies beside the adapter; {} for one from before anything did, which has its base's colours."""
    path = folder / FACTS
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        made_for, here = facts["architecture"], expert.told.get("architecture")
        if here and made_for != here:
            raise Refused(
                f"The adapter {folder} was made for {made_for}, not for {here}: load {facts['base']} instead."
            )
        return {name: [float(value) for value in facts[name]] for name in ("mean", "std")}
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise Refused(f"{path} is damaged ({error}): train the expert again with notebook 03.") from error


def _names(folder: Path) -> set[str]:
    """The names of an adapter's weights; nothing but safetensors is opened."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, "pt") as weights:
            return set(weights.keys())
    except (OSError, SafetensorError) as error:
        raise Refused(f"{folder} holds no readable {WEIGHTS} ({error}): train the expert again.") from error


def _compare(model, names: set[str], folder: Path) -> None:
    """Raise Refused unless the model has taken exactly these weights."""
    from peft import get_peft_model_state_dict

    wanted = set(get_peft_model_state_dict(model))
    for what, found in (("lacks", wanted - names), ("has unknown", names - wanted)):
        if found:
            raise Refused(
                f"The adapter {folder} does not fit this base: it {what} {len(found)} weights, e.g. {min(found)}."
            )
