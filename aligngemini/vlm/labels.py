"""A labeller writes the preference pairs: a model goes on from a right and from a wrong verdict with a reason."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import LogitsProcessor

from aligngemini.core import devices, models, values
from aligngemini.core.copies import Copies
from aligngemini.core.progress import progress
from aligngemini.core.runs import Run
from aligngemini.core.seeds import generator
from aligngemini.images import decode

from . import preference_pairs
from .load import VLM, load
from .params import VLMParams
from .verdict import QUESTION, VERDICTS, continued, prompts, tokens
from .vision_cache import check_images, temporary_vision_cache

# The authors state neither labeller nor prompt nor decoding: these are ours. The numbers are one third party's reading
# (github.com/Arun973150/detect).
ASK = f"{QUESTION} Say which, then give the reason that one can see in one or two sentences."
TEMPERATURE, TOP_P, TOKENS = 0.7, 0.9, 160
BASE = "base"  # the model to tune is its own labeller


def preference_table(run: Run, vlm: VLM, rows: pd.DataFrame, config: VLMParams) -> pd.DataFrame:
    """Preference pairs of image-table rows, computed once in a run and stored in its pairs.parquet.

    Without a labeller they are those of `preference_pairs.from_remarks`. With one, `vlm` is the base, and a killed
    labelling goes on with the images that are not labelled yet.
    """
    return run.compute("pairs.parquet", _pairs, vlm, rows, config, run.checkpoints / "labels")


def _pairs(vlm: VLM, rows: pd.DataFrame, config: VLMParams, parts: Path) -> pd.DataFrame:
    if config.labeller:
        return label(labelling(vlm, config), rows, config.seed, config.score_batch_size, parts)
    return preference_pairs.from_remarks(rows, config.reasons)


def labelling(vlm: VLM, config: VLMParams) -> VLM:
    """The model that labels: the base itself, or another one. Raises Refused if that cannot be loaded."""
    if config.labeller == BASE:
        return vlm
    return load(config.labeller, config.labeller_revision, config.precision, config.max_pixels, config.quantise)


def named(config: VLMParams) -> dict[str, dict[str, str]]:
    """The labeller's name and its commit on the hub, for the record of a run; {} where no model labels."""
    if not config.labeller:
        return {}
    itself = config.labeller == BASE
    model = (config.base, config.base_revision) if itself else (config.labeller, config.labeller_revision)
    return {"labeller": {"name": model[0], "revision": models.commit(*model)}}


def label(vlm: VLM, rows: pd.DataFrame, seed: int, batch: int, parts: Path) -> pd.DataFrame:
    """One preference pair for each image-table row, in the form of `preference_pairs.from_remarks`; `parts` is a folder
    that stores each finished batch.
    """
    done = [values.read(path) for path in sorted(parts.glob("*.parquet"))]
    labelled = {image for part in done for image in part.image_id}
    left = rows[~rows.image_id.isin(labelled)]
    starts = range(0, len(left), batch)
    with Copies(len(starts)) as copies:
        made = copies.in_order(lambda start: copies.use(vlm, _part, left.iloc[start : start + batch], seed), starts)
        for start, part in progress(zip(starts, made, strict=True), "labelling", len(left), batch):
            done.append(part)
            values.write(parts / f"{len(labelled) + start:08}.parquet", part)
    return pd.concat(done).set_index("image_id").loc[rows.image_id].reset_index()


def _part(vlm: VLM, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The pairs of one batch; its images are looked at once for both verdicts."""
    batch = prompts(vlm, [Image.fromarray(decode.read(path).rgb) for path in rows.path], ASK)
    check_images(batch, vlm.processor, vlm.max_pixels)
    with temporary_vision_cache(vlm.model):
        answers = {verdict: reasons(vlm, batch, verdict, list(rows.image_id), seed) for verdict in VERDICTS}
    chosen = [answers[label][i] for i, label in enumerate(rows.label)]
    rejected = [answers[1 - label][i] for i, label in enumerate(rows.label)]
    return rows[["image_id", "path", "label"]].assign(chosen=chosen, rejected=rejected)


@torch.inference_mode()
def reasons(vlm: VLM, batch: dict, verdict: int, images: list[str], seed: int) -> list[str]:
    """`verdict` and a reason for it, for each row of prompts `batch`, drawn by `seed` and image alone."""
    opening = f"{VERDICTS[verdict]}."
    longer = continued(batch, tokens(vlm, opening))
    chances = [generator("label", seed, image, verdict).random(TOKENS) for image in images]
    sampler = SeededSampler(np.stack(chances), TEMPERATURE, TOP_P)
    # The base's own habits (sampling, a penalty on repeating) are switched off: the sampler alone decides.
    plain = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
    whole = vlm.model.generate(**longer, max_new_tokens=TOKENS, logits_processor=[sampler], **plain)
    tails = vlm.processor.batch_decode(whole[:, longer["input_ids"].shape[1] :], skip_special_tokens=True)
    return [f"{opening} {sentences(text)}".strip() for text in tails]


def sentences(text: str) -> str:
    """`text` on one line, up to its last whole sentence; all of it where there is none."""
    line = " ".join(text.split())
    whole = re.match(r".*[.!?](?=\s|$)", line)
    return whole.group() if whole else line


class SeededSampler(LogitsProcessor):
    """Draws each row's next token by that row's own numbers, for a `generate` that samples nothing itself.

    `chances`: uniform numbers in [0, 1), float64 [rows, tokens]. Of a row's tokens, the most likely that together have
    probability `top_p` stay at this `temperature`; the row's next number says which of them it is. Another batch
    changes a draw only where rounding moves a probability across that number.
    """

    def __init__(self, chances: np.ndarray, temperature: float, top_p: float):
        self.chances, self.temperature, self.top_p = torch.tensor(chances), temperature, top_p
        self.step = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` [rows, vocabulary] with all but the drawn token ruled out."""
        shares = (devices.double(scores) / self.temperature).softmax(-1)
        likely, order = shares.sort(dim=-1, descending=True, stable=True)
        before = likely.cumsum(-1) - likely
        total = torch.where(before < self.top_p, likely, 0.0).cumsum(-1)
        chance = self.chances[:, self.step, None].to(total.device)
        self.step += 1
        place = torch.searchsorted(total, chance * total[:, -1:], right=True).clamp(max=total.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, order.gather(1, place).to(scores.device), 0.0)
