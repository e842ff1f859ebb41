"""How the small vision-language model is made: it learns to describe scenes, never to judge them."""

import io
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..workbook.seeds import generator
from . import captions, world
from .bases import vlm_config
from .camera import photograph
from .kinds import KINDS
from .language import HINT, SPARE, processor, save_processor
from .loop import fit
from .scenes import Scene

BATCH = 16
DESCRIBE = "Describe the picture."
COLOURS = tuple(sorted({c for kind in KINDS.values() for c in kind.colours + kind.wrong_colours}))
ADJECTIVES = ("real", "fake", *COLOURS)
WORDS = tuple(dict.fromkeys(re.findall(r"[A-Za-z]+", " ".join([SPARE, *captions.QUESTIONS.values()]))))
DEGRADED = 0.5  # share of pictures that go through the degradation chain, as a real VLM has seen poor pictures too


def seen(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scene as a camera shows it, half the time heavily degraded: uint8 in, uint8 out, same size."""
    from ..images import degrade, jpeg
    from ..workbook.stages import DataParams

    rgb, quality = photograph(rgb, rng)
    if rng.random() < DEGRADED:
        return degrade.degrade(rgb, degrade.draw(degrade.ranges(DataParams()), rng))
    return np.asarray(Image.open(io.BytesIO(jpeg.encode(rgb, quality))))


def lesson(seed: int, split: str, index: int, choosing: bool = False) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """One picture and a conversation of (request, answer) about it.

    Even blocks of BATCH indices ask for a whole description; odd ones ask three questions, the first about what tells
    the picture from its twin, and give a sentence to repeat. `choosing` puts an either-or question before those.
    """
    rng = generator("lesson", seed, split, index)
    violated = bool(rng.random() < 0.5)
    picture = world.draw(seed, split, index, violated)
    rgb = seen(picture.rgb, rng)
    if index // BATCH % 2 == 0:
        return rgb, [(DESCRIBE, picture.caption)]
    scene, about = world.scene(seed, split, index, violated)
    others = [f for f in captions.QUESTIONS if f != about and captions.remark(scene, f)]
    families = [about, *rng.choice(others, 2, replace=False)]
    first = [choice(scene, rng)] if choosing else []
    return rgb, [*first, *((captions.QUESTIONS[f], captions.remark(scene, f)) for f in families), repetition(rng)]


def choice(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """An either-or question about what is seen, answered in the form of a verdict, half the time with a sentence more.

    It teaches to look and to pick one of two offered words; real and fake are never on offer.
    """
    subject = scene.things[0]
    offers = [(subject.colour, COLOURS), (subject.kind, tuple(KINDS))]
    offers += [(captions.GROUND[scene.place], tuple(captions.GROUND.values()))]
    offers += [] if scene.second_sun else [(scene.sun, ("left", "right"))]
    true, words = offers[rng.integers(len(offers))]
    first, second = rng.permutation([true, rng.choice([word for word in words if word != true])])
    family = rng.choice([f for f in captions.QUESTIONS if captions.remark(scene, f)])
    more = f" {captions.remark(scene, family)}" if rng.random() < 0.5 else ""
    return f"Is this image {first} or {second}?{rng.choice(['', ' ' + HINT])}", f"This image is {true}.{more}"


def repetition(rng: np.random.Generator) -> tuple[str, str]:
    """A sentence to repeat, whatever the picture: it teaches to say words that no description holds."""
    if rng.random() < 0.5:
        sentence = f"This image is {rng.choice(ADJECTIVES)}."
    else:
        sentence = " ".join(rng.choice(WORDS, rng.integers(2, 6))) + "."
    return f"Say: {sentence}", sentence


def encode(tools, lessons: list[tuple[np.ndarray, list[tuple[str, str]]]]) -> dict[str, torch.Tensor]:
    """Lessons as model inputs with labels on the answers alone (-100 elsewhere)."""
    talks = [_parts(tools, turns) for _, turns in lessons]
    pictures = [Image.fromarray(rgb) for rgb, _ in lessons]
    batch = tools(text=["".join(parts) for parts in talks], images=pictures, return_tensors="pt", padding=True)
    labels = torch.full_like(batch["input_ids"], -100)
    for row, parts in enumerate(talks):  # padding is on the left; the first part, with the picture in it, is a request
        lengths = [len(tools.tokenizer(part)["input_ids"]) for part in parts[1:]]
        end = labels.shape[1] - sum(lengths)
        for i, length in enumerate(lengths):
            if i % 2 == 0:
                labels[row, end : end + length] = batch["input_ids"][row, end : end + length]
            end += length
    return {**batch, "labels": labels}


def _parts(tools, turns: list[tuple[str, str]]) -> list[str]:
    """A conversation in pieces, requests and answers in turn; an answer ends with its end-of-turn token."""
    parts, opening = [], ""
    for i, (request, answer) in enumerate(turns):
        content = [{"type": "image"}] * (i == 0) + [{"type": "text", "text": request}]
        asked = tools.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        parts += [opening + asked, f"{answer}<|im_end|>"]
        opening = "\n"
    return parts


def pretrain(out: Path, work: Path, steps: int, seed: int = 0, rate: float = 2e-3) -> dict:
    """Make the base in `out` (hub format); returns its card: what it was told, how long, how well it describes.

    First to describe (`steps`), then, a sixth as long and half as fast, to choose as well: a model of instructions
    knows how an either-or question is answered, and preference tuning starts from there.
    """
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    tools = processor()
    model = Qwen2_5_VLForConditionalGeneration._from_config(vlm_config(tools.tokenizer), attn_implementation="eager")

    def batches(split: str, choosing: bool):
        return lambda step: encode(tools, [lesson(seed, split, step * BATCH + i, choosing) for i in range(BATCH)])

    log = fit(model, batches("pretrain/vlm", False), _loss, steps, rate, work / "describe")
    chosen = fit(model, batches("pretrain/choose", True), _loss, steps // 6, rate / 2, work / "choose")
    model.save_pretrained(out)
    save_processor(out)
    return {
        "told": "to describe, to answer questions about parts, places, light and colours, to choose the true one of "
        "two words, and to repeat given sentences; to judge nothing",
        "steps": steps + steps // 6,
        "pictures": (steps + steps // 6) * BATCH,
        "log": log,
        "log_choosing": chosen,
        "accuracy": accuracy(model, tools, seed),
    }


def _loss(model, batch: dict) -> torch.Tensor:
    return model(**batch).loss


@torch.inference_mode()
def accuracy(model, tools, seed: int = 0, batches: int = 24) -> dict[str, dict[str, float]]:
    """Share of right answers to one question by family, usual and violated apart, on a split of its own."""
    model.eval()
    right: dict[str, dict[str, list[float]]] = {}
    for start in range(BATCH, 2 * BATCH * batches, 2 * BATCH):  # odd blocks of indices carry questions
        indices = range(start, start + BATCH)
        lessons = [lesson(seed, "examine/vlm", i) for i in indices]
        batch = encode(tools, [(rgb, turns[:1]) for rgb, turns in lessons])
        hits = _hits(model, {k: v.to(model.device) for k, v in batch.items()})
        for index, hit in zip(indices, hits, strict=True):
            violated = bool(generator("lesson", seed, "examine/vlm", index).random() < 0.5)
            about = world.scene(seed, "examine/vlm", index, violated)[1]
            right.setdefault(about, {}).setdefault("violated" if violated else "usual", []).append(hit)
    return {about: {state: round(float(np.mean(v)), 3) for state, v in rows.items()} for about, rows in right.items()}


def _hits(model, batch: dict) -> list[float]:
    labels = batch.pop("labels")
    guess = model(**batch).logits[:, :-1].argmax(-1)
    wanted = labels[:, 1:]
    return ((guess == wanted) | (wanted == -100)).all(1).float().tolist()
