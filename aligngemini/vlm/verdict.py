"""The question, the two verdict sentences, and p(fake) from their teacher-forced log-probabilities."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from PIL import Image

from aligngemini.images.failures import Failures, each
from aligngemini.images.feed import batched

from .load import VLM
from .look import look

# The authors state neither the prompt nor the verdict sentences: these are ours. The two sentences differ in their last
# token alone, so that one row per picture carries both.
QUESTION = (
    "Is this image real or fake? Judge parts, counts, places, light and shadows. Ignore blur, noise and compression."
)
VERDICTS = {0: "This image is real", 1: "This image is fake"}
EXPLAINED = 16  # pictures at once: ours


def chat(question: str = QUESTION) -> list[dict]:
    """The conversation that asks about one picture."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def prompts(vlm: VLM, pictures: list[Image.Image], question: str = QUESTION) -> dict[str, torch.Tensor]:
    """Model inputs for one question about each picture, padded on the left, on the model's device.

    Raises Unreadable for a picture that the model cannot look at.
    """
    seen = [look(vlm, picture) for picture in pictures]
    text = vlm.processor.apply_chat_template(chat(question), add_generation_prompt=True, tokenize=False)
    batch = vlm.processor(text=[text] * len(seen), images=seen, return_tensors="pt", padding=True, padding_side="left")
    return {name: value.to(vlm.device) for name, value in batch.items()}


def continued(batch: dict, tokens: tuple[int, ...]) -> dict:
    """The same prompts followed by the same answer tokens."""
    prompt = batch["input_ids"]
    tail = torch.tensor(tokens, dtype=prompt.dtype, device=prompt.device).expand(len(prompt), -1)
    longer = {"input_ids": torch.cat([prompt, tail], 1)}
    for name, fill in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        if name in batch:
            longer[name] = torch.cat([batch[name], torch.full_like(tail, fill)], 1)
    return {**batch, **longer}


@torch.inference_mode()
def log_probabilities(vlm: VLM, batch: dict, sentences: list[str]) -> torch.Tensor:
    """log p(sentence | prompt), float32 [rows, len(sentences)], each token forced on the model in turn.

    Sentences that differ only in their last token share one forward pass: each distinct input is run once.
    """
    encoded = [_tokens(vlm, sentence) for sentence in sentences]
    logs = {}
    for prefix in dict.fromkeys(tokens[:-1] for tokens in encoded):
        logs[prefix] = _logits(vlm, continued(batch, prefix), len(prefix) + 1).log_softmax(-1)
    picked = [logs[tokens[:-1]][:, range(len(tokens)), tokens].sum(1) for tokens in encoded]
    return torch.stack(picked, 1)


@torch.inference_mode()
def log_odds(vlm: VLM, batch: dict) -> torch.Tensor:
    """log p(fake) - log p(real) by the verdict sentences, float32 [rows].

    Where these differ in their last token alone, all else cancels, the norm over the vocabulary too: what is left are
    two logits.
    """
    real, fake = (_tokens(vlm, VERDICTS[verdict]) for verdict in (0, 1))
    if real[:-1] == fake[:-1]:
        two = _logits(vlm, continued(batch, real[:-1]), 1, [real[-1], fake[-1]])[:, 0]
    else:
        two = log_probabilities(vlm, batch, [VERDICTS[0], VERDICTS[1]])
    return two[:, 1] - two[:, 0]


def _tokens(vlm: VLM, sentence: str) -> tuple[int, ...]:
    return tuple(vlm.processor.tokenizer(sentence, add_special_tokens=False)["input_ids"])


def _logits(vlm: VLM, inputs: dict, keep: int, tokens: list[int] | None = None) -> torch.Tensor:
    """Logits of `tokens` (None: the vocabulary) at the last `keep` places, float32 [rows, keep, tokens].

    They are computed in float32 from what the head is given: in bfloat16, which has eight bits, a thousand pictures
    would share a few dozen scores. A head without plain weights, quantised or tuned itself, keeps its own way.
    """
    head, given, chosen = vlm.model.get_output_embeddings(), [], slice(None) if tokens is None else tokens
    hook = head.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    try:
        logits = vlm.model(**inputs, logits_to_keep=keep).logits
    finally:
        hook.remove()
    if hasattr(head, "base_layer") or not head.weight.is_floating_point():
        return logits[..., chosen].float()
    bias = head.bias[chosen].float() if head.bias is not None else None
    return torch.nn.functional.linear(given[0].float(), head.weight[chosen].float(), bias)


def p_fake(vlm: VLM, pictures: list[Image.Image]) -> np.ndarray:
    """p(fake) in [0, 1] for each picture: the two-way softmax over the verdict sentences; float64 [n]."""
    return log_odds(vlm, prompts(vlm, pictures)).double().sigmoid().cpu().numpy()


def explain(vlm: VLM, pictures: list[Image.Image], verdicts: Iterable[int], tokens: int = 40) -> list[str]:
    """The model's own words after the verdict it gave, generated greedily; text explains, it never decides.

    Pictures of one verdict go together, EXPLAINED at once; "" for a picture that the model fails on.
    """
    said, given, failures = {}, list(map(int, verdicts)), Failures()
    for verdict in sorted(set(given)):
        chosen = [place for place, one in enumerate(given) if one == verdict]
        tell = partial(spoken, vlm, opening=VERDICTS[verdict], tokens=tokens)
        for part in batched(chosen, EXPLAINED):
            words = each(tell, [pictures[place] for place in part])
            failures.note("words", words)
            said |= dict(zip(part, words, strict=True))
    failures.check()
    return ["" if isinstance(said[place], Exception) else said[place] for place in range(len(given))]


@torch.inference_mode()
def spoken(vlm: VLM, pictures: list[Image.Image], opening: str, tokens: int, question: str = QUESTION) -> list[str]:
    """For each picture `opening` and up to `tokens` tokens after it, greedy."""
    begun = vlm.processor.tokenizer(opening, add_special_tokens=False)["input_ids"] if opening else []
    batch = continued(prompts(vlm, pictures, question), tuple(begun))
    whole = vlm.model.generate(**batch, max_new_tokens=tokens, do_sample=False)
    answers = whole[:, batch["input_ids"].shape[1] - len(begun) :]
    return [text.strip() for text in vlm.processor.batch_decode(answers, skip_special_tokens=True)]
