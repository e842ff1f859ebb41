"""The question, the two verdict sentences, and p(fake) from the logits of the word that decides between them."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from PIL import Image

from aligngemini.images.failures import Failures, each
from aligngemini.images.feed import batched

from .load import VLM, look

# The authors state neither the prompt nor the verdict sentences: these are ours. The two sentences differ in their last
# token alone, so that one row per image carries both.
QUESTION = (
    "Is this image real or fake? Judge parts, counts, places, light and shadows. Ignore blur, noise and compression."
)
VERDICTS = {0: "This image is real", 1: "This image is fake"}
EXPLAINED = 16  # images at once: ours


def chat(question: str = QUESTION) -> list[dict]:
    """The conversation that asks about one image."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def prompts(vlm: VLM, images: list[Image.Image], question: str = QUESTION) -> dict[str, torch.Tensor]:
    """Model inputs for one question about each image, padded on the left, on the model's device.

    Raises Unreadable for an image that the model cannot look at.
    """
    seen = [look(vlm, image) for image in images]
    text = vlm.processor.apply_chat_template(chat(question), add_generation_prompt=True, tokenize=False)
    batch = vlm.processor(text=[text] * len(seen), images=seen, return_tensors="pt", padding=True, padding_side="left")
    return {name: value.to(vlm.device) for name, value in batch.items()}


def tokens(vlm: VLM, text: str) -> list[int]:
    """The tokens of a text without any that open or end one."""
    return vlm.processor.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []


def continued(batch: dict, answer: list[int]) -> dict:
    """The same prompts followed by the same answer tokens."""
    prompt = batch["input_ids"]
    tail = torch.tensor(answer, dtype=prompt.dtype, device=prompt.device).expand(len(prompt), -1)
    longer = {"input_ids": torch.cat([prompt, tail], 1)}
    for name, fill in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        if name in batch:
            longer[name] = torch.cat([batch[name], torch.full_like(tail, fill)], 1)
    return {**batch, **longer}


@torch.inference_mode()
def p_fake(vlm: VLM, images: list[Image.Image]) -> np.ndarray:
    """p(fake) in [0, 1] for each image: the two-way softmax over the verdict sentences; float64 [n].

    These differ in their last token alone, so all else cancels, the norm over the vocabulary too: what is left are two
    logits. They are computed in float32: in bfloat16, which has eight bits, a thousand images would share a few dozen
    scores.
    """
    (*opening, real), (*other, fake) = (tokens(vlm, VERDICTS[label]) for label in (0, 1))
    if opening != other:
        raise RuntimeError("The tokenizer parts the verdict sentences before their last token: use Qwen2.5-VL's own.")
    model = _base(vlm)
    hidden = model.model(**continued(prompts(vlm, images), opening)).last_hidden_state[:, -1:]
    two = torch.nn.functional.linear(hidden.float(), model.lm_head.weight[[real, fake]].float())[:, 0]
    return (two[:, 1] - two[:, 0]).double().sigmoid().cpu().numpy()


@torch.inference_mode()
def judged(vlm: VLM, images: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """`p_fake` and `features` of the images, from one pass through the vision tower."""
    seen = []
    hook = _base(vlm).model.visual.register_forward_hook(
        lambda tower, args, given, output: seen.append((output.pooler_output, given["grid_thw"])), with_kwargs=True
    )
    try:
        scores = p_fake(vlm, images)
    finally:
        hook.remove()
    return scores, _means(vlm, *seen[0])


@torch.inference_mode()
def features(vlm: VLM, images: list[Image.Image]) -> np.ndarray:
    """What the vision tower, which no training changes, sees of each image: the mean of its tokens, float32 [n, d]."""
    batch = prompts(vlm, images)
    seen = _base(vlm).model.visual(batch["pixel_values"], grid_thw=batch["image_grid_thw"])
    return _means(vlm, seen.pooler_output, batch["image_grid_thw"])


def _means(vlm: VLM, tokens: torch.Tensor, grid: torch.Tensor) -> np.ndarray:
    counts = grid.prod(1) // vlm.processor.image_processor.merge_size**2
    return torch.stack([part.float().mean(0) for part in tokens.split(counts.tolist())]).cpu().numpy()


def _base(vlm: VLM):
    return vlm.model.get_base_model() if hasattr(vlm.model, "get_base_model") else vlm.model


def explain(vlm: VLM, images: list[Image.Image], verdicts: Iterable[int], length: int = 40) -> list[str]:
    """The reason that the model gives after its verdict, generated greedily; text explains, it never decides.

    Images of one verdict go together, EXPLAINED at once; "" where it gives none, or for an image that it fails on.
    """
    words, labels, failures = {}, list(map(int, verdicts)), Failures()
    for label in VERDICTS:
        places = [place for place, one in enumerate(labels) if one == label]
        explained = partial(spoken, vlm, opening=VERDICTS[label], length=length)
        for part in batched(places, EXPLAINED):
            words |= zip(part, each(explained, [images[place] for place in part]), strict=True)
    failures.note("words", list(words.values()))
    failures.check()
    said = ["" if isinstance(words[place], Exception) else words[place] for place in range(len(labels))]
    return [text.removeprefix(VERDICTS[label]).lstrip(". ") for text, label in zip(said, labels, strict=True)]


@torch.inference_mode()
def spoken(vlm: VLM, images: list[Image.Image], opening: str, length: int, question: str = QUESTION) -> list[str]:
    """For each image `opening` and up to `length` tokens after it, greedy."""
    begun = tokens(vlm, opening)
    batch = continued(prompts(vlm, images, question), begun)
    whole = vlm.model.generate(**batch, max_new_tokens=length, do_sample=False)
    answers = whole[:, batch["input_ids"].shape[1] - len(begun) :]
    return [text.strip() for text in vlm.processor.batch_decode(answers, skip_special_tokens=True)]
