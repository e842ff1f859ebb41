"""The question, the two verdict sentences, and p(fake) from the logits of the words that decide between them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from os.path import commonprefix

import numpy as np
import torch
from PIL import Image

from aligngemini.core import adapters, devices
from aligngemini.images.failures import Failures, each
from aligngemini.images.feed import batched

from . import parts, template
from .image_size import look
from .load import VLM
from .vision_cache import temporary_vision_cache

# The authors state neither the prompt nor the verdict sentences: these are ours. For most tokenizers the two sentences
# differ in their last token alone, so that one row per image carries both.
QUESTION = (
    "Is this image real or fake? Judge parts, counts, places, light and shadows. Ignore blur, noise and compression."
)
VERDICTS = {0: "This image is real", 1: "This image is fake"}
EXPLAINED = 16  # images at once: ours


def prompts(vlm: VLM, images: list[Image.Image], question: str = QUESTION) -> dict[str, torch.Tensor]:
    """Model inputs for one question about each image, padded on the left, on the model's device.

    Raises Unreadable for an image that the model cannot look at.
    """
    seen, (text, _) = [[look(vlm, image)] for image in images], template.rendered(vlm.processor, question)
    # A template writes the tokens that open a text itself.
    options = {"padding": True, "padding_side": "left", "add_special_tokens": False}
    batch = vlm.processor(text=[text] * len(seen), images=seen, return_tensors="pt", **options)
    return {name: value.to(vlm.device) for name, value in batch.items()}


def tokens(vlm: VLM, answer: str) -> list[int]:
    """The tokens of an answer as it follows a prompt, without any that end it."""
    lead = template.rendered(vlm.processor, QUESTION)[1]
    return vlm.processor.tokenizer(lead + answer, add_special_tokens=False)["input_ids"] if answer else []


def continued(batch: dict, answer: list[int]) -> dict:
    """The same prompts followed by the same answer tokens."""
    prompt = batch["input_ids"]
    tail = torch.tensor(answer, dtype=prompt.dtype, device=prompt.device).expand(len(prompt), -1)
    longer = {"input_ids": torch.cat([prompt, tail], 1)}
    for name, fill in (("attention_mask", 1), ("mm_token_type_ids", 0), ("token_type_ids", 0)):
        if name in batch:
            longer[name] = torch.cat([batch[name], torch.full_like(tail, fill)], 1)
    return {**batch, **longer}


def p_fake(vlm: VLM, images: list[Image.Image]) -> np.ndarray:
    """p(fake) in [0, 1] for each image: the two-way softmax over the verdict sentences; float64 [n]."""
    return _scores(vlm, prompts(vlm, images))


@torch.inference_mode()
def _scores(vlm: VLM, batch: dict[str, torch.Tensor]) -> np.ndarray:
    said = [tokens(vlm, VERDICTS[label]) for label in (0, 1)]
    opening = commonprefix(said)
    ends = [each[len(opening) :] for each in said]
    score = _by_one_token if [len(end) for end in ends] == [1, 1] else _by_sentences
    real, fake = score(vlm, batch, opening, *ends)
    return devices.double(fake - real).sigmoid().cpu().numpy()


def _by_one_token(vlm: VLM, batch: dict, opening: list[int], *ends: list[int]) -> torch.Tensor:
    """Logits [2, n] of the last tokens of sentences that differ in it alone, so that all else cancels.

    They are computed in float32: in bfloat16, which has eight bits, a thousand images would share a few dozen scores.
    """
    with _vocabulary_of(adapters.base(vlm.model).get_output_embeddings(), [end[0] for end in ends]):
        return vlm.model(**continued(batch, opening), logits_to_keep=1).logits[:, -1].T


@contextmanager
def _vocabulary_of(head: torch.nn.Linear, words: list[int]) -> Iterator[None]:
    """Let a vocabulary head give the logits of some words alone, in float32; what the model does to logits stays."""
    own, bias = head.forward, None if head.bias is None else head.bias[words].float()
    head.forward = lambda hidden: torch.nn.functional.linear(hidden.float(), head.weight[words].float(), bias)
    try:
        yield
    finally:
        head.forward = own


def _by_sentences(vlm: VLM, batch: dict, opening: list[int], *ends: list[int]) -> list[torch.Tensor]:
    """Log-probabilities [n] of sentences whose `ends` have any number of tokens: one forward pass for each of them."""
    with temporary_vision_cache(vlm.model):
        return [_log_p(vlm, continued(batch, opening + end[:-1]), end) for end in ends]


def _log_p(vlm: VLM, batch: dict, end: list[int]) -> torch.Tensor:
    logits = vlm.model(**batch, logits_to_keep=len(end)).logits.float()
    wanted = torch.tensor(end, device=logits.device).expand(len(logits), -1)
    return logits.log_softmax(-1).gather(-1, wanted[..., None])[..., 0].sum(1)


@torch.inference_mode()
def judged(vlm: VLM, images: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """`p_fake` and `features` of the images, from one pass through the vision tower."""
    batch = prompts(vlm, images)
    with temporary_vision_cache(vlm.model):
        return _scores(vlm, batch), _means(vlm, batch)


@torch.inference_mode()
def features(vlm: VLM, images: list[Image.Image]) -> np.ndarray:
    """What the vision tower, which no training changes, sees of each image: the mean of its tokens, float32 [n, d]."""
    return _means(vlm, prompts(vlm, images))


def _means(vlm: VLM, batch: dict[str, torch.Tensor]) -> np.ndarray:
    seen = parts.image_features(vlm.model, batch)
    return torch.stack([part.float().mean(0) for part in seen]).cpu().numpy()


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
