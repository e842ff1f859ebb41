"""Every stage of the published experiment as the notebooks run it, for a few steps on random images.

A stage takes its model, the setting, a folder of its own and a number of steps. It returns how many images or pairs a
step has, and when the first step began and each one ended (seconds of `clock`).
"""

import time
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import TrainerCallback

from aligngemini.branches import scoring
from aligngemini.branches.branch import Branch
from aligngemini.core import params, recipes
from aligngemini.core import stages as notebooks
from aligngemini.core.params import Refused
from aligngemini.expert import objective, train
from aligngemini.expert.backbone import Expert
from aligngemini.expert.batches import Batches, match_real_fake
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams
from aligngemini.images import decode, reconstruct
from aligngemini.images.autoencoder import BUDGET, LIVE, Autoencoder
from aligngemini.images.params import DataParams
from aligngemini.images.table import frame
from aligngemini.vlm import dpo, labels, preference_pairs, verdict
from aligngemini.vlm.branch import VLMBranch
from aligngemini.vlm.load import VLM
from aligngemini.vlm.params import VLMParams

# px of a photograph: most of COCO have this size, and those of Unsplash are cropped to the recipe's max_side
PHOTO = {"paper": (640, 480), "colab": (512, 512), "laptop": (512, 512), "mini": (112, 112)}
TESTED = {"colab": 2_000, "laptop": 2_000}  # images of the held-out list, the validation and the joint sets, about
ANSWER = {"mini": 20}  # tokens of an answer, else 100 (ours; third parties allow 160)
ONE = {"gradient_accumulation": 1, "score_batch_size": 1}
WORDS = "The fine texture looks like the grain of a camera."
Times = tuple[int, list[float]]


class Setting(NamedTuple):
    """Parameters of the notebooks; width and height (px) of what each model looks at; tokens of an answer."""

    scale: str
    vae: DataParams
    vlm: VLMParams
    expert: ExpertParams
    sizes: dict[str, tuple[int, int]]
    answer: int

    @property
    def photographs(self) -> int:
        """How many the autoencoder takes at once on a GPU, where its widest full-size layer has 256 channels."""
        width, height = self.sizes["vae"]
        return max(1, BUDGET["cuda"] // (LIVE * 256 * 2 * width * height))

    @property
    def pairs(self) -> int:
        """Photographs that are reconstructed for training."""
        return self.vae.pixel_pairs or self.vae.train_images // 2

    @property
    def preferences(self) -> int:
        """Images of the semantic set, with a preference pair each."""
        return self.vae.train_images

    @property
    def tested(self) -> int:
        """Images that are scored."""
        return TESTED.get(self.scale, 10_000)

    @property
    def reason(self) -> int:
        """Tokens of a labeller's answer."""
        return labels.TOKENS

    def single(self) -> "Setting":
        """The same in bfloat16 and batches of one image or pair, for a CPU."""
        vlm = self.vlm.replace(**ONE, batch_size=1, precision="bfloat16")
        return self._replace(vlm=vlm, expert=self.expert.replace(**ONE, batch_pairs=1))


def setting(scale: str) -> Setting:
    """The setting of a scale's recipes; raises Refused for a scale that has no architectures here."""
    if scale not in PHOTO:
        raise Refused(f"there is no rehearsal of scale {scale!r}: choose {' or '.join(PHOTO)}")
    forms = {notebooks.DATA: DataParams, notebooks.VLM: VLMParams, notebooks.EXPERT: ExpertParams}
    values = {name: recipes.recipe(scale, notebooks.STAGES[name]) for name in forms}
    vae, vlm, expert = (params.build(form, values[name], name) for name, form in forms.items())
    sizes = {"vae": PHOTO[scale], "vlm": (vae.image_size,) * 2, "expert": (expert.crop,) * 2}
    return Setting(scale, vae, vlm, expert, sizes, ANSWER.get(scale, 100))


def reconstruction(model: Autoencoder, setting: Setting, folder: Path, steps: int) -> Times:
    """Photographs into pairs, from file to file, one full batch a step."""
    config, (width, height) = setting.vae, setting.sizes["vae"]
    rows = images(folder / "photographs", model.batch(height, width), (width, height))
    run = partial(reconstruct.pairs, max_side=config.max_side, workers=config.workers, form=config.pair_format)
    return len(rows), timed(steps, lambda step: run(rows, model, folder / f"pairs{step}"))


def expert_views(expert: Expert, setting: Setting, folder: Path, steps: int) -> Times:
    """Pairs of files into their views by one process, one batch a step; the expert itself has no part in it."""
    return setting.expert.batch_pairs, timed(steps, _batches(setting, folder, steps).__getitem__)


def expert_training(expert: Expert, setting: Setting, folder: Path, steps: int) -> Times:
    """Updates on views that are there, one a step."""
    config, count = setting.expert, setting.expert.gradient_accumulation
    batches, optimiser = _batches(setting, folder, count), objective.optimiser(expert, config)
    parts = [batches[number] for number in range(count)]
    expert.model.train()
    return config.batch_pairs * count, timed(steps, lambda step: train.update(expert, optimiser, parts, config))


def _batches(setting: Setting, folder: Path, count: int) -> Batches:
    rows = images(folder / "pairs", 2 * count * setting.expert.batch_pairs, setting.sizes["vae"])
    return Batches(match_real_fake(rows, setting.expert.seed), setting.expert, 0)


def expert_scoring(expert: Expert, setting: Setting, folder: Path, steps: int) -> Times:
    """Scores of files, one batch a step."""
    expert.model.eval()
    branch = ExpertBranch(expert, setting.expert.crop)
    return _scored(branch, setting.expert.score_batch_size, setting.sizes["vae"], folder, steps)


def verdict_scoring(vlm: VLM, setting: Setting, folder: Path, steps: int) -> Times:
    """Scores of files, one batch a step."""
    return _scored(VLMBranch(vlm), setting.vlm.score_batch_size, setting.sizes["vlm"], folder, steps)


def _scored(branch: Branch, batch: int, size: tuple[int, int], folder: Path, steps: int) -> Times:
    rows = images(folder / "scored", batch, size)
    return batch, timed(steps, lambda step: scoring.table(rows, branch, "", batch))


def explaining(vlm: VLM, setting: Setting, folder: Path, steps: int) -> Times:
    """Answers in words, one batch a step."""
    shown = [Image.new("RGB", setting.sizes["vlm"], "grey")] * min(verdict.EXPLAINED, setting.vlm.score_batch_size)
    return len(shown), timed(steps, lambda step: verdict.explain(vlm, shown, [1] * len(shown), setting.answer))


def labelling(vlm: VLM, setting: Setting, folder: Path, steps: int) -> Times:
    """Both answers to every image in words, one batch a step."""
    rows = images(folder / "labelled", setting.vlm.score_batch_size, setting.sizes["vlm"])
    run = partial(labels.label, vlm, rows, setting.vlm.seed, len(rows))
    return len(rows), timed(steps, lambda step: run(folder / f"labels{step}"))


def preference(vlm: VLM, setting: Setting, folder: Path, steps: int) -> Times:
    """DPO by the real trainer, one update a step."""
    config, watch, words = setting.vlm, Watch(), len(vlm.processor.tokenizer(WORDS)["input_ids"])
    update, remark = config.batch_size * config.gradient_accumulation, " ".join([WORDS] * -(-setting.answer // words))
    rows = images(folder / "preferences", update * steps, setting.sizes["vlm"])
    chosen, rejected = (preference_pairs.answer(label, remark) for label in (0, 1))
    trainer = dpo.build(vlm, rows.assign(chosen=chosen, rejected=rejected), config, folder / "checkpoints")
    trainer.args.max_steps, trainer.args.save_strategy = steps, "no"
    trainer.remove_callback(dpo.Watch)  # without arithmetic nothing starts as it must
    trainer.add_callback(watch)
    trainer.train()
    return update, watch.times


class Watch(TrainerCallback):
    """When training began and each step ended."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.times = [clock()]

    def on_step_end(self, args, state, control, **kwargs):
        self.times.append(clock())


def images(folder: Path, count: int, size: tuple[int, int]) -> pd.DataFrame:
    """Image-table rows of `count` random JPEG files, each real one beside its fake."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for index in range(count):
        path, fake = folder / f"{index:05}.jpg", index % 2
        small = rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        axis = "pixel" if fake else "none"
        columns = {"path": str(path), "label": fake, "pair_id": str(index // 2), "axis": axis, "split": "train"}
        rows.append(columns | decode.identify(path))
    return frame(rows)


def timed(steps: int, step: Callable[[int], object]) -> list[float]:
    """Call `step` with 0, 1, …; when the first call began and each one ended."""
    times = [clock()]
    for number in range(steps):
        step(number)
        times.append(clock())
    return times


def clock() -> float:
    """Seconds, once all that a GPU was asked for is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class Stage(NamedTuple):
    """A stage of a model, what it counts, which number of the setting says how many are in an epoch, how many a GPU
    holds at once (0: it has no part in it) or the parameter that says so, what to lower where that is too much, the
    notebook whose time it makes, and what in the setting says how many tokens it generates.
    """

    name: str
    model: str
    unit: str
    many: str
    run: Callable[..., Times]
    batch: int | str
    lower: str
    notebook: str = ""
    tokens: str = ""

    def units(self, setting: Setting) -> float:
        """How many there are in the whole experiment."""
        return getattr(setting, self.many) * (getattr(setting, self.model).epochs if self.unit == "pair" else 1.0)

    def held(self, setting: Setting) -> int:
        """How many a GPU holds at once."""
        return self.batch if isinstance(self.batch, int) else attrgetter(self.batch)(setting)


PAIRS, PREFERENCES, TESTS = "pairs", "preferences", "tested"
BATCH, CROPS, PAIRED = "vlm.score_batch_size", "expert.score_batch_size", "expert.batch_pairs"
LESS, FEWER = "batch_size or max_pixels, or set gradient_checkpointing", "score_batch_size"
STAGES = (
    Stage("reconstruction", "vae", "photograph", PAIRS, reconstruction, "photographs", "max_side", notebooks.DATA),
    Stage("expert views", "expert", "pair", PAIRS, expert_views, 0, "workers"),
    Stage("expert training", "expert", "pair", PAIRS, expert_training, PAIRED, "batch_pairs or crop", notebooks.EXPERT),
    Stage("expert scoring", "expert", "image", TESTS, expert_scoring, CROPS, FEWER, notebooks.EXPERT),
    Stage("verdict scoring", "vlm", "image", TESTS, verdict_scoring, BATCH, FEWER, notebooks.VLM),
    Stage("explaining", "vlm", "image", TESTS, explaining, verdict.EXPLAINED, "max_pixels", "", "answer"),
    Stage("labelling", "vlm", "image", PREFERENCES, labelling, BATCH, FEWER, notebooks.VLM, "reason"),
    Stage("DPO", "vlm", "pair", PREFERENCES, preference, "vlm.batch_size", LESS, notebooks.VLM),
)
