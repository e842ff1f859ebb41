"""Every stage of the published experiment as the notebooks run it, on random images.

A stage takes its model, the setting and a folder of its own. It returns how many images or pairs a step has, and what
does a number of steps.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
from PIL import Image

from aligngemini.branches import scoring
from aligngemini.branches.branch import Branch
from aligngemini.core import params
from aligngemini.core.stages import DATA, EXPERT, VLM
from aligngemini.expert import objective, train
from aligngemini.expert.backbone import Expert
from aligngemini.expert.batches import Batches, match_real_fake
from aligngemini.expert.branch import ExpertBranch
from aligngemini.images import decode, reconstruct
from aligngemini.images.autoencoder import BUDGET, LIVE, Autoencoder
from aligngemini.images.table import frame
from aligngemini.vlm import dpo, labels, load, preference_pairs, verdict
from aligngemini.vlm.branch import VLMBranch

from .setting import Setting

WORDS = "The fine texture looks like the grain of a camera."
TESTED = {"colab": 2_000, "laptop": 2_000}  # images of the held-out list, the validation and the joint sets, about
Ready = tuple[int, Callable[[int], object]]


def reconstruction(model: Autoencoder, setting: Setting, folder: Path) -> Ready:
    """Photographs into pairs, from file to file, a full batch a step, or one of each shape."""
    config, (width, height) = setting.data, setting.shapes[0]
    rows = images(folder, len(setting.shapes) if setting.mixed else model.batch(height, width), setting.shapes)
    run = partial(reconstruct.pairs, rows, model, cfg=config, form=config.pair_format)
    return len(rows), repeated(lambda: run(Path(mkdtemp(dir=folder))))


def expert_views(expert: Expert, setting: Setting, folder: Path) -> Ready:
    """Pairs of files into their views by one process, those of an update a step; the expert has no part in it."""
    config, batches = setting.expert, _batches(setting, folder)
    count = config.gradient_accumulation
    return config.batch_pairs * count, repeated(lambda: [batches[number] for number in range(count)])


def expert_training(expert: Expert, setting: Setting, folder: Path) -> Ready:
    """Updates on views that are there, one a step."""
    config, batches, optimiser = setting.expert, _batches(setting, folder), objective.optimiser(expert, setting.expert)
    parts = [batches[number] for number in range(config.gradient_accumulation)]
    expert.model.train()
    return config.batch_pairs * len(parts), repeated(partial(train.updating(expert, optimiser, config), parts))


def _batches(setting: Setting, folder: Path) -> Batches:
    config = setting.expert
    shapes = [shape for shape in setting.shapes for _ in range(2)]  # both members of a pair have one
    rows = images(folder, 2 * config.gradient_accumulation * config.batch_pairs, shapes)
    return Batches(match_real_fake(rows, config.seed), config, 0)


def expert_scoring(expert: Expert, setting: Setting, folder: Path) -> Ready:
    """Scores of files, one batch a step."""
    expert.model.eval()
    branch = ExpertBranch(expert, setting.expert.crop)
    return _scored(branch, setting.expert.score_batch_size, setting.shapes, folder)


def verdict_scoring(vlm: load.VLM, setting: Setting, folder: Path) -> Ready:
    """Scores of files, one batch a step."""
    shapes = setting.shapes if setting.mixed else [setting.size("vlm")]
    return _scored(VLMBranch(vlm), setting.vlm.score_batch_size, shapes, folder)


def _scored(branch: Branch, batch: int, shapes: list[tuple[int, int]], folder: Path) -> Ready:
    rows = images(folder, batch, shapes)
    return batch, repeated(partial(scoring.table, rows, branch, "", batch))


def explaining(vlm: load.VLM, setting: Setting, folder: Path) -> Ready:
    """Answers in words, one batch a step."""
    shown = [Image.new("RGB", setting.size("vlm"), "grey")] * min(verdict.EXPLAINED, setting.vlm.score_batch_size)
    return len(shown), repeated(partial(verdict.explain, vlm, shown, [1] * len(shown), setting.explained))


def labelling(vlm: load.VLM, setting: Setting, folder: Path) -> Ready:
    """Both answers to every image in words, one batch a step."""
    rows = images(folder, setting.vlm.score_batch_size, [setting.size("vlm")])
    run = partial(labels.label, vlm, rows, setting.vlm.seed, len(rows))
    run = patch.object(labels, "TOKENS", setting.reason)(run)
    return len(rows), repeated(lambda: run(Path(mkdtemp(dir=folder))))


def preference(vlm: load.VLM, setting: Setting, folder: Path) -> Ready:
    """DPO by the real trainer, one update a step."""
    config, words = setting.vlm, len(vlm.processor.tokenizer(WORDS)["input_ids"])
    update, length = config.batch_size * config.gradient_accumulation, setting.answer * (config.reasons != "none")
    remark = " ".join([WORDS] * -(-length // words))
    chosen, rejected = (preference_pairs.answer(label, remark) for label in (0, 1))
    rows = images(folder, update, [setting.size("vlm")]).assign(chosen=chosen, rejected=rejected)
    for sizes in (vlm.model.config.get_text_config(), vlm.model.generation_config):
        sizes.eos_token_id = vlm.processor.tokenizer.eos_token_id  # else the trainer sets it, with a warning
    trainer = dpo.build(vlm, rows, config, folder / "checkpoints")
    trainer.args.save_strategy = "no"
    trainer.remove_callback(dpo.Watch)  # without arithmetic nothing starts as it must

    def go(steps: int) -> None:
        trainer.args.max_steps = steps
        trainer.train()

    return update, go


def images(folder: Path, count: int, shapes: list[tuple[int, int]]) -> pd.DataFrame:
    """Image-table rows of `count` random JPEG files of these widths and heights in turn, each real one before its
    fake.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for index in range(count):
        path, fake, (width, height) = folder / f"{index:05}.jpg", index % 2, shapes[index % len(shapes)]
        small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
        axis = "pixel" if fake else "none"
        columns = {"path": str(path), "label": fake, "pair_id": str(index // 2), "axis": axis, "split": "train"}
        rows.append(columns | decode.identify(path))
    return frame(rows)


def repeated(step: Callable[[], object]) -> Callable[[int], object]:
    """What calls `step` a number of times."""
    return lambda steps: [step() for _ in range(steps)] and None


class Stage(NamedTuple):
    """A stage of a model, what it counts, and what runs it; how many there are in the whole experiment, and how many a
    GPU holds at once (0: it has no part in it); what to lower where memory is too small, the notebook whose time it
    makes, and tokens of an answer that is generated.
    """

    name: str
    model: str
    unit: str
    run: Callable[..., Ready]
    many: float
    held: int
    lower: str
    notebook: str = ""
    tokens: int = 0


def of(setting: Setting, only: str = "") -> list[Stage]:
    """The stages that the recipes ask for, or one of them. Raises Refused where it is none.

    Images and pairs are as many as the recipes say (paper: 11.8K pairs of photograph and reconstruction, 5K real and 5K
    surreal images with a preference pair each, arXiv 2512.06746), test images as TESTED says, or 10,000. A GPU holds as
    many photographs as its budget allows at 256 channels of 16 bits.
    """
    data, vlm, expert = setting.data, setting.vlm, setting.expert
    photos, tested = data.pixel_pairs or data.train_images // 2, TESTED.get(setting.scale, 10_000)
    at_once = max(1, BUDGET["cuda"] // (LIVE * 256 * 2 * math.prod(setting.size("vae"))))
    views, pairs, score = photos * expert.epochs, data.train_images * vlm.epochs, vlm.score_batch_size
    fewer, crops = "score_batch_size", "batch_pairs or crop"
    less = "batch_size or max_pixels, or set gradient_checkpointing"
    stages = [
        Stage("reconstruction", "vae", "photograph", reconstruction, photos, at_once, "max_side", DATA),
        Stage("expert views", "expert", "pair", expert_views, views, 0, "workers"),
        Stage("expert training", "expert", "pair", expert_training, views, expert.batch_pairs, crops, EXPERT),
        Stage("expert scoring", "expert", "image", expert_scoring, tested, expert.score_batch_size, fewer, EXPERT),
        Stage("verdict scoring", "vlm", "image", verdict_scoring, tested, score, fewer, VLM),
        Stage("explaining", "vlm", "image", explaining, tested, verdict.EXPLAINED, "max_pixels", "", setting.explained),
        Stage("labelling", "vlm", "image", labelling, data.train_images, score, fewer, VLM, setting.reason),
        Stage("DPO", "vlm", "pair", preference, pairs, vlm.batch_size, less, VLM),
    ]
    stages = [stage for stage in stages if stage.name != "labelling" or vlm.labeller]
    names = [stage.name for stage in stages]
    if only and only not in names:
        raise params.unknown(only, names, f"the rehearsal of {setting.scale}", "stage")
    return [stage for stage in stages if only in ("", stage.name)]
