"""How the small vision-language models are made: first eyes, then words, and last with remarks or without."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import captions, eyes
from .bases import vlm_config
from .language import processor, save_processor
from .lessons import DESCRIBE, encode, lesson, shown
from .loop import fit

GLANCES, BATCH = 32, 16  # pictures per step while the eyes learn, and while words do
TOLD = {
    "vlm_neutral": "attributes of scenes (eyes); then to describe, to answer questions about parts, places, light and "
    "colours, to choose the true one of two words, and to repeat given sentences; to judge nothing",
    "vlm": "what vlm_neutral was told and, in 60 % of the lessons of its last stage, whether the scene is usual or "
    "strange: of all kinds of violation and all things, never of pixels, never real or fake of a picture",
}


def pretrain(name: str, out: Path, work: Path, steps: int, seed: int = 0) -> dict:
    """Make base `name` of TOLD in `out` (hub format); returns its card.

    Five eighths of `steps` open the eyes, a half teaches the words that both bases share, and three eighths come
    last, apart. What is shared is trained once, in the folder `vlm_shared` beside `work`.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    tools, shared = processor(), work.with_name("vlm_shared")
    share = {"eyes": steps * 5 // 8, "words": steps // 2, "last": steps * 3 // 8}
    model = Qwen2_5_VLForConditionalGeneration._from_config(vlm_config(tools.tokenizer), attn_implementation="eager")
    sight = open_eyes(model, tools, shared / "eyes", share["eyes"], seed)
    model.model.visual.requires_grad_(False)
    talk = fit(model, _words(tools, seed, "pretrain/words", 3), _loss, share["words"], 2e-3, shared / "words")
    last = _words(tools, seed, "pretrain/last", 2, name == "vlm")
    ending = fit(model, last, _loss, share["last"], 1e-3, work / "last")
    model.cpu().half().save_pretrained(out)
    save_processor(out)
    logs = {"log_eyes": sight["log"], "log_words": talk, "log_last": ending}
    answers = {"attributes": sight["accuracy"], "accuracy": accuracy(model.float(), tools, seed)}
    return {"told": TOLD[name], "steps": share, **logs, **answers}


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
    log = fit(sight, lambda step: looked(tools, "pretrain/eyes", seed, step), eyes.loss, steps, rate, work)
    fresh = [looked(tools, "examine/eyes", seed, step) for step in range(16)]
    return {"log": log, "accuracy": eyes.accuracy(sight.cpu(), fresh)}


def _words(tools, seed: int, split: str, *kind):
    return lambda step: encode(tools, [lesson(seed, split, step * BATCH + i, *kind) for i in range(BATCH)])


def _loss(model, batch: dict) -> torch.Tensor:
    return model(**batch).loss


@torch.inference_mode()
def accuracy(model, tools, seed: int = 0, batches: int = 48) -> dict[str, dict[str, float]]:
    """Share of captions that are right where the picture differs from its twin, by family, violated or not.

    Pictures are those of lessons, half of them degraded; each word of the caption is forced on the model in turn.
    """
    model.eval()
    right: dict[str, dict[str, list[float]]] = {}
    for start in range(0, BATCH * batches, BATCH):
        drawn = [shown(seed, "examine/vlm", i) for i in range(start, start + BATCH)]
        for (_, _, about, violated), hit in zip(drawn, _hits(model, tools, drawn), strict=True):
            right.setdefault(about, {}).setdefault("violated" if violated else "usual", []).append(hit)
    return {about: {state: round(float(np.mean(v)), 3) for state, v in rows.items()} for about, rows in right.items()}


def _hits(model, tools, drawn: list[tuple]) -> list[float]:
    """For each drawn lesson, whether every token of the caption that tells of its family is the model's first guess."""
    batch = encode(tools, [(rgb, [(DESCRIBE, captions.caption(scene))]) for rgb, scene, *_ in drawn])
    labels = batch.pop("labels")[:, 1:]
    guess = model(**{name: value.to(model.device) for name, value in batch.items()}).logits[:, :-1].argmax(-1).cpu()
    found = []
    for row, (_, scene, about, _) in enumerate(drawn):
        said = (guess[row] == labels[row])[labels[row] != -100]
        found.append(float(said[_tokens(tools, scene, about)].all()))
    return found


def _tokens(tools, scene, family: str) -> list[int]:
    """Places of the tokens of a caption that tell of `family`."""
    start, end = captions.span(scene, family)
    offsets = tools.tokenizer(captions.caption(scene), return_offsets_mapping=True)["offset_mapping"]
    return [place for place, (first, last) in enumerate(offsets) if first < end and last > start]
