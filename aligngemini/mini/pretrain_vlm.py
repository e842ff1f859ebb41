"""How the small vision-language models are made: first eyes, then words, and last with remarks or without."""

from functools import partial
from pathlib import Path

import torch
from PIL import Image

from . import eyes
from .bases import vlm_config
from .examine import examine
from .language import processor
from .lessons import encode, lesson, shown
from .loop import fit

GLANCES, BATCH = 32, 16  # pictures per step while the eyes learn, and while words do
TOLD = {
    "vlm_neutral": "attributes of scenes (eyes); then to describe, to answer questions about parts, places, light and "
    "colours, to choose the true one of two words, and to repeat given sentences; to judge nothing",
    "vlm": "what vlm_neutral was told and, in 80 % of the lessons of its last stage, whether the scene is usual or "
    "strange: of all kinds of violation and all things, never of pixels, never real or fake of a picture",
}


def pretrain(name: str, out: Path, work: Path, steps: int, seed: int = 0) -> dict:
    """Make base `name` of TOLD in `out` (hub format); returns its card.

    Five eighths of `steps` open the eyes, as many teach words, and twice as many of short lessons come last. Eyes and
    words are the same in both bases: they are trained once, in the folder `vlm_shared` beside `work`.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    tools, shared = processor(), work.with_name("vlm_shared")
    share = {"eyes": steps * 5 // 8, "words": steps * 5 // 8, "last": steps * 5 // 4}
    model = Qwen2_5_VLForConditionalGeneration._from_config(vlm_config(tools.tokenizer), attn_implementation="eager")
    sight = open_eyes(model, tools, shared / "eyes", share["eyes"], seed)
    model.model.visual.requires_grad_(False)
    talk = fit(model, partial(_words, tools, seed, "pretrain/words", ()), _loss, share["words"], 2e-3, shared / "words")
    last = partial(_words, tools, seed, "pretrain/last", (True, name == "vlm"))
    ending = fit(model, last, _loss, share["last"], 1.5e-3, work / "last")
    model.cpu().half().save_pretrained(out)
    processor().save_pretrained(out)  # one that has padded nothing, which its tokenizer would remember
    logs = {"log_eyes": sight["log"], "log_words": talk, "log_last": ending}
    found = examine(model.float(), tools, seed)
    return {"told": TOLD[name], "steps": share, **logs, "attributes": sight["accuracy"], **found}


def looked(tools, split: str, seed: int, step: int) -> dict[str, torch.Tensor]:
    """Pictures of one step, as patches and grids, with their attributes int64 [GLANCES, attributes]."""
    drawn = [shown(seed, split, step * GLANCES + i) for i in range(GLANCES)]
    patches = tools.image_processor(images=[Image.fromarray(rgb) for rgb, *_ in drawn], return_tensors="pt")
    labels = torch.tensor([eyes.attributes(scene) for _, scene, *_ in drawn])
    return {**{name: patches[name] for name in ("pixel_values", "image_grid_thw")}, "labels": labels}


def open_eyes(model, tools, work: Path, steps: int, seed: int, rate: float = 1e-3) -> dict:
    """Teach the vision tower alone to see attributes; returns its log and its accuracy on fresh pictures."""
    tower = model.model.visual
    sight = eyes.Eyes(tower, tower.config.out_hidden_size)
    log = fit(sight, partial(looked, tools, "pretrain/eyes", seed), eyes.loss, steps, rate, work)
    fresh = [looked(tools, "examine/eyes", seed, step) for step in range(16)]
    return {"log": log, "accuracy": eyes.accuracy(sight.cpu(), fresh)}


def _words(tools, seed: int, split: str, kind: tuple, step: int) -> dict[str, torch.Tensor]:
    """Pictures and talks of one step."""
    return encode(tools, [lesson(seed, split, step * BATCH + i, *kind) for i in range(BATCH)])


def _loss(model, batch: dict) -> torch.Tensor:
    return model(**batch).loss
