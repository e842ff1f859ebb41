"""A labeller writes the preference pairs: a model goes on from a right and from a wrong verdict with a reason."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from aligngemini.core import models, values
from aligngemini.core.progress import progress
from aligngemini.core.runs import Run
from aligngemini.core.seeds import generator
from aligngemini.images import decode

from . import preference_pairs
from .load import VLM, load
from .params import VLMParams
from .seeded_sampling import SeededSampler
from .verdict import QUESTION, VERDICTS, continued, prompts
from .vision_cache import check_images, temporary_vision_cache

# The authors state neither labeller nor prompt nor decoding: these are ours. The numbers are one third party's reading
# (github.com/Arun973150/detect).
ASK = f"{QUESTION} Say which, then give the reason that one can see in one or two sentences."
TEMPERATURE, TOP_P, TOKENS = 0.7, 0.9, 160
BASE = "base"  # the model to tune is its own labeller


def preference_table(run: Run, vlm: VLM, rows: pd.DataFrame, cfg: VLMParams) -> pd.DataFrame:
    """Preference pairs of image-table rows, computed once in a run and stored in its pairs.parquet.

    Without a labeller they are those of `preference_pairs.from_remarks`. With one, `vlm` is the base, and a killed
    labelling goes on with the images that are not labelled yet.
    """
    return run.compute("pairs.parquet", _made, vlm, rows, cfg, run.checkpoints / "labels")


def _made(vlm: VLM, rows: pd.DataFrame, cfg: VLMParams, parts: Path) -> pd.DataFrame:
    if cfg.labeller:
        return label(labelling(vlm, cfg), rows, cfg.seed, cfg.score_batch_size, parts)
    return preference_pairs.from_remarks(rows, cfg.reasons)


def labelling(vlm: VLM, cfg: VLMParams) -> VLM:
    """The model that labels: the base itself, or another of its family. Raises Refused if that cannot be loaded."""
    if cfg.labeller == BASE:
        return vlm
    return load(cfg.labeller, cfg.labeller_revision, cfg.precision, cfg.max_pixels, cfg.quantise)


def named(cfg: VLMParams) -> dict[str, dict[str, str]]:
    """The labeller's name and its commit on the hub, for the record of a run; {} where no model labels."""
    if not cfg.labeller:
        return {}
    own = (cfg.base, cfg.base_revision) if cfg.labeller == BASE else (cfg.labeller, cfg.labeller_revision)
    return {"labeller": {"name": own[0], "revision": models.commit(*own)}}


def label(vlm: VLM, rows: pd.DataFrame, seed: int, batch: int, parts: Path) -> pd.DataFrame:
    """One preference pair for each image-table row, in the form of `preference_pairs.from_remarks`; `parts` is a folder
    that stores each finished batch.
    """
    done = [values.read(path) for path in sorted(parts.glob("*.parquet"))]
    labelled = {image for part in done for image in part.image_id}
    left = rows[~rows.image_id.isin(labelled)]
    starts = range(0, len(left), batch)
    for start in progress(starts, "labelling", len(left), batch):
        done.append(_part(vlm, left.iloc[start : start + batch], seed))
        values.write(parts / f"{len(labelled) + start:08}.parquet", done[-1])
    return pd.concat(done).set_index("image_id").loc[rows.image_id].reset_index()


def _part(vlm: VLM, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The pairs of one batch; its pictures are looked at once for both verdicts."""
    pictures = [Image.fromarray(decode.read(path).rgb) for path in rows.path]
    batch = prompts(vlm, pictures, ASK)
    check_images(batch, vlm.processor, vlm.max_pixels)
    with temporary_vision_cache(vlm.model):
        said = {verdict: reasons(vlm, batch, verdict, list(rows.image_id), seed) for verdict in VERDICTS}
    answers = [[said[verdict][i] for verdict in (own, 1 - own)] for i, own in enumerate(rows.label)]
    columns = {"image_id": rows.image_id, "path": rows.path, "label": rows.label}
    return pd.DataFrame({**columns, "chosen": [c for c, _ in answers], "rejected": [r for _, r in answers]})


@torch.inference_mode()
def reasons(vlm: VLM, batch: dict, verdict: int, images: list[str], seed: int) -> list[str]:
    """`verdict` and a reason for it, for each row of prompts `batch`, drawn by `seed` and image alone."""
    opening = f"{VERDICTS[verdict]}."
    tokens = vlm.processor.tokenizer(opening, add_special_tokens=False)["input_ids"]
    longer = continued(batch, tuple(tokens))
    chances = [generator("label", seed, image, verdict).random(TOKENS) for image in images]
    draw = SeededSampler(np.stack(chances), TEMPERATURE, TOP_P)
    # The base's own habits (sampling, a penalty on repeating) are switched off: `draw` alone decides.
    plain = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
    whole = vlm.model.generate(**longer, max_new_tokens=TOKENS, logits_processor=[draw], **plain)
    tails = vlm.processor.batch_decode(whole[:, longer["input_ids"].shape[1] :], skip_special_tokens=True)
    return [f"{opening} {sentences(text)}".strip() for text in tails]


def sentences(text: str) -> str:
    """`text` on one line, up to its last whole sentence; all of it where there is none."""
    line = " ".join(text.split())
    whole = re.match(r".*[.!?](?=\s|$)", line)
    return whole.group() if whole else line
