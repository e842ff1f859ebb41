"""How the small vision-language model is made: it learns to describe scenes, never to judge them."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..workbook.seeds import generator
from . import captions, world
from .bases import vlm_config
from .camera import photograph
from .language import processor, save_processor
from .loop import fit

BATCH = 16
DESCRIBE = "Describe the picture."
DEGRADED = 0.5  # share of pictures that go through the degradation chain, as a real VLM has seen poor pictures too


def seen(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scene as a camera shows it, half the time heavily degraded: uint8 in, uint8 out, same size."""
    from ..images import degrade, jpeg
    from ..workbook.stages import DataParams

    rgb, quality = photograph(rgb, rng)
    if rng.random() < DEGRADED:
        return degrade.degrade(rgb, degrade.draw(degrade.ranges(DataParams()), rng))
    return np.asarray(Image.open(io.BytesIO(jpeg.encode(rgb, quality))))


def lesson(seed: int, split: str, index: int) -> tuple[np.ndarray, str, str]:
    """One picture with a request and its answer; an odd step asks one question, an even one a whole description."""
    rng = generator("lesson", seed, split, index)
    picture = world.draw(seed, split, index, bool(rng.random() < 0.5))
    rgb = seen(picture.rgb, rng)
    if index // BATCH % 2:
        return rgb, captions.QUESTIONS[picture.about], picture.remark
    return rgb, DESCRIBE, picture.caption


def encode(tools, lessons: list[tuple[np.ndarray, str, str]]) -> dict[str, torch.Tensor]:
    """Lessons as model inputs with labels on the answers alone (-100 elsewhere)."""
    texts = [
        tools.apply_chat_template(_chat(request), add_generation_prompt=True, tokenize=False)
        for _, request, _ in lessons
    ]
    full = [f"{text}{answer}<|im_end|>" for text, (_, _, answer) in zip(texts, lessons, strict=True)]
    pictures = [Image.fromarray(rgb) for rgb, _, _ in lessons]
    batch = tools(text=full, images=pictures, return_tensors="pt", padding=True)
    answers = [len(tools.tokenizer(answer)["input_ids"]) + 1 for _, _, answer in lessons]
    labels = torch.full_like(batch["input_ids"], -100)
    for row, count in enumerate(answers):  # padding is on the left, so an answer is the tail of its row
        labels[row, -count:] = batch["input_ids"][row, -count:]
    return {**batch, "labels": labels}


def _chat(request: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": request}]}]


def pretrain(out: Path, work: Path, steps: int, seed: int = 0, rate: float = 2e-3) -> dict:
    """Make the base in `out` (hub format); returns its card: what it was told, how long, how well it describes."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    tools = processor()
    model = Qwen2_5_VLForConditionalGeneration._from_config(vlm_config(tools.tokenizer), attn_implementation="sdpa")

    def make(step: int) -> dict:
        return encode(tools, [lesson(seed, "pretrain/vlm", step * BATCH + i) for i in range(BATCH)])

    log = fit(model, make, lambda m, b: m(**b).loss, steps, rate, work)
    model.save_pretrained(out)
    save_processor(out)
    return {
        "told": "descriptions and questions about parts, places, light and colours; no judgement",
        "steps": steps,
        "pictures": steps * BATCH,
        "log": log,
        "accuracy": accuracy(model, tools, seed),
    }


@torch.inference_mode()
def accuracy(model, tools, seed: int = 0, batches: int = 24) -> dict[str, dict[str, float]]:
    """Share of right answers to one question by family, usual and violated apart, on a split of its own."""
    model.eval()
    right: dict[str, dict[str, list[float]]] = {}
    for start in range(BATCH, 2 * BATCH * batches, 2 * BATCH):  # odd blocks of indices carry questions
        indices = range(start, start + BATCH)
        batch = encode(tools, [lesson(seed, "examine/vlm", i) for i in indices])
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
