"""What a small vision-language base knows before any tuning: what it describes rightly, and what it finds strange."""

import pandas as pd
import torch

from aligngemini.world import captions

from .language import HINT
from .lessons import DESCRIBE, encode, shown

BATCH, BATCHES = 16, 48  # pictures at a time, and how often: about 35 of each family, violated or not
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
    """For each drawn lesson, whether the true one of WORDS is the likelier answer."""
    likely = [_likelihood(model, tools, drawn, f"This image is {word}.") for word in WORDS]
    return [bool((strange > usual) == which[3]) for usual, strange, which in zip(*likely, drawn, strict=True)]


def _likelihood(model, tools, drawn: list[tuple], answer: str) -> list[float]:
    """log p(answer) for each picture."""
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
