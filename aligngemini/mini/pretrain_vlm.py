"""How the small vision-language models are made: first eyes, then words, and last with remarks or without."""

from functools import partial
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration

from aligngemini.world import captions

from . import eyes
from .bases import vlm_config
from .language import HINT, processor
from .lessons import DESCRIBE, encode, lesson, shown
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
    return encode(tools, [lesson(seed, split, step * BATCH + i, *kind) for i in range(BATCH)])


def _loss(model, batch: dict) -> torch.Tensor:
    return model(**batch).loss


BATCHES = 48  # of BATCH pictures that are examined: about 35 of each family, violated or not
JUDGE = f"Is this image usual or strange? {HINT}"
WORDS = ("usual", "strange")  # for a picture that is not violated, and for one that is


@torch.inference_mode()
def examine(model, tools, seed: int = 0, batches: int = BATCHES) -> dict[str, dict[str, dict[str, float]]]:
    """Shares of right answers by family and state (violated, usual): captions' `accuracy`, and `judgement`.

    Pictures are those of lessons, half of them degraded, from a split that no lesson is drawn from. A caption is right
    if each of its tokens that tell of the family is the model's first guess; a judgement, usual or strange, if the
    true one of WORDS is the likelier.
    """
    model.eval()
    rows = []
    for start in range(0, BATCH * batches, BATCH):
        drawn = [shown(seed, "examine/vlm", i) for i in range(start, start + BATCH)]
        found = zip(_described(model, tools, drawn), _judged(model, tools, drawn), strict=True)
        rows += [(*which[2:], *right) for which, right in zip(drawn, found, strict=True)]
    table = pd.DataFrame(rows, columns=["family", "violated", "accuracy", "judgement"])
    table["state"] = table.violated.map({True: "violated", False: "usual"})
    return {what: _shares(table, what) for what in ("accuracy", "judgement")}


def _shares(table: pd.DataFrame, what: str) -> dict[str, dict[str, float]]:
    means = table.groupby(["family", "state"], sort=False)[what].mean().round(3)
    return {family: means[family].to_dict() for family in table.family.unique()}


def _described(model, tools, drawn: list[tuple]) -> list[bool]:
    """For each drawn lesson, whether every token of the caption that tells of its family is the model's first guess."""
    batch = encode(tools, [(rgb, [(DESCRIBE, captions.caption(scene))]) for rgb, scene, *_ in drawn])
    logits, labels = _answers(model, batch)
    right, found = logits.argmax(-1) == labels, []
    for row, (_, scene, about, _) in enumerate(drawn):
        said = right[row][labels[row] != -100]
        found.append(bool(said[_tokens(tools, scene, about)].all()))
    return found


def _judged(model, tools, drawn: list[tuple]) -> list[bool]:
    likely = [_likelihood(model, tools, drawn, f"This image is {word}.") for word in WORDS]
    return [bool((strange > usual) == which[3]) for usual, strange, which in zip(*likely, drawn, strict=True)]


def _likelihood(model, tools, drawn: list[tuple], answer: str) -> list[float]:
    logits, labels = _answers(model, encode(tools, [(rgb, [(JUDGE, answer)]) for rgb, *_ in drawn]))
    logs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return (logs * (labels != -100)).sum(-1).tolist()


def _answers(model, batch: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model predicts at each place, float [rows, places, words], and what stands there, -100 in requests."""
    labels = batch.pop("labels")[:, 1:]
    logits = model(**{name: value.to(model.device) for name, value in batch.items()}).logits[:, :-1]
    return logits.float().cpu(), labels


def _tokens(tools, scene, family: str) -> list[int]:
    """Places of the tokens of a caption that tell of `family`."""
    start, end = captions.span(scene, family)
    offsets = tools.tokenizer(captions.caption(scene), return_offsets_mapping=True)["offset_mapping"]
    return [place for place, (first, last) in enumerate(offsets) if first < end and last > start]
