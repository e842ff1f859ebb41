"""The doors into the other rooms: each stage of the experiment as it is run, for a few laps, on random pictures.

A door takes what it works on, the setting, a folder of its own and `lap`, to be called with the number of pictures or
pairs done since the last call; 0 says that preparation is over. What other rooms rename is renamed here.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import TrainerCallback

from ..branches import scoring
from ..branches.branch import Branch
from ..expert import backbone, objective
from ..expert import train as expert_train
from ..expert.batches import Batches, match_real_fake
from ..expert.branch import ExpertBranch
from ..images import autoencoder, decode, reconstruct
from ..images.table import frame
from ..vlm import dpo, labels, load, preference_pairs, verdict
from ..vlm.branch import VLMBranch
from . import shapes
from .setting import PHOTO, Setting

Lap = Callable[[int], None]
WORDS = "The fine texture looks like the grain of a camera."


def pictures(folder: Path, count: int, width: int, height: int, pixel: bool = True) -> pd.DataFrame:
    """Image-table rows of `count` pairs of random JPEG files, real and fake; without `pixel` every picture is alone."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for index in range(2 * count):
        path = folder / f"{index:05}.jpg"
        small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
        name = str(index // 2 if pixel else index)
        axis = ("pixel" if pixel else "semantic") if index % 2 else "none"
        told = {"path": str(path), "label": index % 2, "pair_id": name, "axis": axis, "split": "train"}
        rows.append(told | decode.identify(path))
    return frame(rows)


def build_vae(setting: Setting, folder: Path, device: str) -> autoencoder.Autoencoder:
    """The autoencoder with random weights, saved and loaded as one from the hub is."""
    told = setting.data
    shapes.vae(setting.scale, "cpu").save_pretrained(folder / "vae")
    latent = {"sample": told.vae_latent == "sampled", "seed": told.seed}
    return autoencoder.load(str(folder / "vae"), **latent, device=device, dtype=told.vae_dtype)


def build_expert(setting: Setting, folder: Path, device: str) -> backbone.Expert:
    """The expert with random weights and the adapters of the recipe."""
    told = {"base": setting.expert.base, "revision": "", "architecture": shapes.EXPERT}
    return backbone.with_lora(
        backbone.placed(shapes.expert(setting.scale, device), *backbone.CLIP, told), setting.expert
    )


def build_vlm(setting: Setting, folder: Path, device: str) -> load.VLM:
    """The VLM with random weights behind the mini processor, whose vocabulary is a part of its own."""
    return dressed(setting, shapes.vlm(setting.scale, device, load.dtype_for(setting.vlm.precision)))


def dressed(setting: Setting, model: torch.nn.Module) -> load.VLM:
    """`model` with the mini base's processor, set to the recipe's size of pictures."""
    return replace(load.load(shapes.MINI["vlm"], max_pixels=setting.vlm.max_pixels), model=model)


def reconstruction(model: autoencoder.Autoencoder, setting: Setting, folder: Path, lap: Lap) -> None:
    """Photographs into pairs, from file to file, one full batch a lap."""
    told, (width, height) = setting.data, setting.photo
    batch = 1 if setting.scale == "paper" and model.device == "cpu" else model.batch(height, width)
    rows = pictures(folder / "photographs", -(-batch * setting.times // 2), width, height)
    lap(0)
    for start in range(0, batch * setting.times, batch):
        part = rows.iloc[start : start + batch]
        made = folder / f"made{start}"
        reconstruct.pairs(part, model, made, told.max_side, told.workers, form=told.pair_format)
        lap(len(part))


def expert_views(expert: backbone.Expert, setting: Setting, folder: Path, lap: Lap) -> None:
    """Pairs of files into their views by one process, one batch a lap; the expert itself has no part in it."""
    made = _batches(setting, folder, setting.times)
    lap(0)
    for at in range(setting.times):
        made[at]
        lap(setting.expert.batch_pairs)


def expert_training(expert: backbone.Expert, setting: Setting, folder: Path, lap: Lap) -> None:
    """Updates on views that are there, one a lap."""
    told = setting.expert
    made = _batches(setting, folder, told.gradient_accumulation)
    parts, optimiser = [made[at] for at in range(told.gradient_accumulation)], objective.optimiser(expert, told)
    expert.model.train()
    lap(0)
    for _ in range(setting.times):
        expert_train.update(expert, optimiser, parts, told)
        lap(told.batch_pairs * told.gradient_accumulation)


def _batches(setting: Setting, folder: Path, count: int) -> Batches:
    rows = pictures(folder / "pairs", count * setting.expert.batch_pairs, *PHOTO[setting.scale])
    return Batches(match_real_fake(rows, setting.expert.seed), setting.expert, 0)


def expert_scoring(expert: backbone.Expert, setting: Setting, folder: Path, lap: Lap) -> None:
    """Scores of files, one batch a lap."""
    told = setting.expert
    expert.model.eval()
    _scored(folder, setting, told.score_batch_size, setting.photo, lap, ExpertBranch(expert, told.crop))


def verdict_scoring(vlm: load.VLM, setting: Setting, folder: Path, lap: Lap) -> None:
    """Scores of files, one batch a lap."""
    _scored(folder, setting, setting.vlm.score_batch_size, square(setting), lap, VLMBranch(vlm))


def _scored(folder: Path, setting: Setting, batch: int, size: tuple[int, int], lap: Lap, branch: Branch) -> None:
    rows = pictures(folder / "scored", -(-batch // 2), *size)
    lap(0)
    for _ in range(setting.times):
        scoring.table(rows.head(batch), branch, "", batch)
        lap(batch)


def explaining(vlm: load.VLM, setting: Setting, folder: Path, lap: Lap) -> None:
    """Answers in words, one batch a lap."""
    shown = drawn(setting, verdict.EXPLAINED)
    lap(0)
    for _ in range(setting.times):
        verdict.explain(vlm, shown, [1] * len(shown), setting.answer)
        lap(len(shown))


def labelling(vlm: load.VLM, setting: Setting, folder: Path, lap: Lap) -> None:
    """Both answers to every picture in words, one batch a lap."""
    batch = setting.vlm.score_batch_size
    rows = pictures(folder / "labelled", -(-batch // 2), *square(setting), pixel=False).head(batch)
    lap(0)
    for at in range(setting.times):
        labels.label(vlm, rows, setting.vlm.seed, batch, folder / f"labels{at}")
        lap(batch)


def preference(vlm: load.VLM, setting: Setting, folder: Path, lap: Lap) -> None:
    """DPO by the real trainer, one update a lap."""
    told = setting.vlm
    update = told.batch_size * told.gradient_accumulation
    rows = pictures(folder / "preferences", -(-update * setting.times // 2), *square(setting), pixel=False)
    chosen, rejected = (_answer(vlm.processor, verdict, setting.answer) for verdict in (0, 1))
    trainer = dpo.build(vlm, rows.assign(chosen=chosen, rejected=rejected), told, folder / "checkpoints")
    trainer.args.max_steps, trainer.args.save_strategy = setting.times, "no"
    trainer.add_callback(_Laps(lap, update))
    lap(0)
    trainer.train()


class _Laps(TrainerCallback):
    def __init__(self, lap: Lap, units: int):
        self.lap, self.units = lap, units

    def on_step_end(self, args, state, control, **kwargs):
        self.lap(self.units)


def _answer(processor, which: int, tokens: int) -> str:
    text = preference_pairs.answer(which, WORDS)
    while len(processor.tokenizer(text)["input_ids"]) < tokens:
        text += f" {WORDS}"
    return text


def square(setting: Setting) -> tuple[int, int]:
    """Width and height of what the VLM is shown, px."""
    return setting.data.image_size, setting.data.image_size


def drawn(setting: Setting, count: int) -> list[Image.Image]:
    """`count` grey pictures of the size that the VLM is shown."""
    return [Image.new("RGB", square(setting), "grey")] * count


def asked(processor, shown: list[Image.Image], extra: int = 0) -> dict[str, torch.Tensor]:
    """The question about each picture, `extra` tokens longer, as tensors of the host; all rows are of one length."""
    batch = verdict.prompts(SimpleNamespace(processor=processor, device="cpu"), shown)
    batch.pop("attention_mask")
    tail = torch.full((len(shown), extra), int(batch["input_ids"][0, -1]))
    for name, more in (("input_ids", tail), ("mm_token_type_ids", torch.zeros_like(tail))):
        batch[name] = torch.cat([batch[name], more], 1)
    return batch
