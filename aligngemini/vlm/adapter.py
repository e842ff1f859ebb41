"""Save and load a trained VLM adapter, with the metadata needed to use it without its run."""

from importlib import metadata
from pathlib import Path
from typing import Any

from aligngemini.core import adapters, models
from aligngemini.core.params import Refused

from .load import VLM, load, with_adapter
from .params import VLMParams
from .verdict import QUESTION, VERDICTS

LOADED = ("base", "revision", "precision", "max_pixels", "quantise")  # arguments of `load`
TRAINED = ("supervision", "objective", "labeller", "beta", "learning_rate", "lora_rank", "lora_alpha", "lora_dropout")
TRAINED += ("labeller_revision", "epochs", "batch_size", "gradient_accumulation", "seed")
SENTENCES = {"question": QUESTION, "verdict_real": VERDICTS[0], "verdict_fake": VERDICTS[1]}
PACKAGES = ("torch", "transformers", "trl", "peft")
SUMMARY = (
    "A LoRA adapter that lets a vision-language model say whether a picture is real or generated, by its meaning: the "
    "semantic branch of AlignGemini, trained on pairs of a right and a wrong verdict."
)
USE = """from PIL import Image

from aligngemini.images import decode
from aligngemini.vlm import adapter, verdict

vlm = adapter.load_saved("this folder")  # or its name on the hub
verdict.p_fake(vlm, [Image.fromarray(decode.read("picture.jpg").rgb)])"""


def facts(cfg: VLMParams, pairs: int, processor) -> dict[str, Any]:
    """What PEFT forgets, of parameters of notebook 02, the number of training pairs and the processor."""
    facts = {"base": cfg.base, "revision": models.commit(cfg.base, cfg.base_revision)}
    facts |= {name: getattr(cfg, name) for name in (*LOADED[2:], *TRAINED)}
    images = processor.image_processor
    sizes = {"size": dict(images.size), "patch_size": images.patch_size, "merge_size": images.merge_size}
    versions = {name: metadata.version(name) for name in PACKAGES}
    return facts | {"pairs": pairs, "processor": sizes} | SENTENCES | {"packages": versions}


def save(model, folder: Path, facts: dict[str, Any], weights: dict | None = None) -> Path:
    """Write the adapter with its facts and a model card; `weights` as in `adapters.save`."""
    card = adapters.card("Semantic branch", SUMMARY, facts, USE)
    return adapters.save(model, folder, facts, card, weights)


def load_saved(saved: str | Path) -> VLM:
    """The base that an adapter was trained on, with it, as its own facts say; `saved` is its folder or its name on the
    hub.

    Raises Refused as `adapters.home` does, and if it answers another question than this code asks: its scores would
    mean nothing.
    """
    folder = adapters.home(saved)
    saved_facts = adapters.facts(folder)
    for name, text in SENTENCES.items():
        if (theirs := saved_facts.get(name)) != text:
            raise Refused(f"The adapter {folder} was trained on another {name} ({theirs!r}): train it again.")
    return with_adapter(load(**{name: saved_facts[name] for name in LOADED}), folder)
