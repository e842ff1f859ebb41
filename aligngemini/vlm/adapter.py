"""The trained adapter: what it must be told apart by, how it is saved, and how it comes back without its run."""

from importlib import metadata
from pathlib import Path
from typing import Any

from ..workbook import adapters, models
from ..workbook.params import Refused
from .load import VLM, load, with_adapter
from .verdict import QUESTION, VERDICTS

LOADED = ("base", "revision", "precision", "max_pixels", "quantise")  # what `load` is told
TOLD = ("supervision", "objective", "labeller", "beta", "learning_rate", "lora_rank", "lora_alpha", "lora_dropout")
TOLD += ("labeller_revision", "epochs", "batch_size", "gradient_accumulation", "seed")
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


def facts(cfg, pairs: int, processor) -> dict[str, Any]:
    """What PEFT forgets, of parameters of notebook 02, the number of training pairs and the processor."""
    told = {"base": cfg.base, "revision": models.commit(cfg.base, cfg.base_revision)}
    told |= {name: getattr(cfg, name) for name in (*LOADED[2:], *TOLD)}
    pictures = processor.image_processor
    sizes = {"size": dict(pictures.size), "patch_size": pictures.patch_size, "merge_size": pictures.merge_size}
    sentences = {"question": QUESTION, "verdict_real": VERDICTS[0], "verdict_fake": VERDICTS[1]}
    versions = {name: metadata.version(name) for name in PACKAGES}
    return told | {"pairs": pairs, "processor": sizes} | sentences | {"packages": versions}


def save(model, folder: Path, told: dict[str, Any], weights: dict | None = None) -> Path:
    """Write the adapter with its facts and a model card; `weights` as in `adapters.save`."""
    card = adapters.card("Semantic branch", SUMMARY, told, USE)
    return adapters.save(model, folder, told, card, weights)


def load_saved(saved: str | Path) -> VLM:
    """The base that an adapter was trained on, with it, as its own facts say; `saved` is its folder or its name on the
    hub.

    Raises Refused as `adapters.home` does, and if it answers another question than this code asks: its scores would
    mean nothing.
    """
    folder = adapters.home(saved)
    told = adapters.facts(folder)
    here = {"question": QUESTION, "verdict_real": VERDICTS[0], "verdict_fake": VERDICTS[1]}
    for name, text in here.items():
        if told.get(name) != text:
            raise Refused(f"The adapter {folder} was trained on another {name} ({told.get(name)!r}): train it again.")
    return with_adapter(load(**{name: told[name] for name in LOADED}), folder)
