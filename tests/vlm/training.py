"""A small training with DPO, for the tests."""

import torch

from aligngemini.mini import bases
from aligngemini.vlm import adapter, dpo, load, preference_pairs
from aligngemini.vlm.params import VLMParams

CFG = VLMParams(base="data/mini/vlm", objective="dpo", batch_size=2, checkpoint_steps=2, learning_rate=1e-2)


def base() -> load.VLM:
    return load.load(str(bases.FOLDERS["vlm"]))


def train(rows, folder, cfg=CFG, steps: int = -1):
    torch.manual_seed(cfg.seed)
    trainer = dpo.build(base(), preference_pairs.from_remarks(rows), cfg, folder / "checkpoints")
    trainer.args.max_steps, trainer.args.logging_steps = steps, 1
    dpo.train(trainer, folder / "adapter", adapter.facts(cfg, len(rows) // 2, trainer.processing_class))
    return trainer
