"""Effort (arXiv 2411.15633) as a branch: the expert's loop and batches, with the adapter of `residual`."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from aligngemini.branches import options
from aligngemini.expert import backbone, train
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams
from aligngemini.images import table

from . import composite, residual
from .params import EffortOptions


class Effort(ExpertBranch):
    """Loaded as a trained expert is: its adapter is a LoRA on the whole layers."""

    kind: ClassVar[str] = "effort"

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path) -> dict[str, Any]:
        """Train on a set of a complete data run; `source` is the text of the options. Resumes from `checkpoints`."""
        given = options.read(cls.kind, source)
        config = _parameters(given, data.seed)
        expert = backbone.load(given.base, given.revision, config.normalisation)
        residual.split(expert.model, given.rank)
        expert.model.to(expert.device)
        rows = table.training(data, given.train, "pixel").query("split == 'train'")
        log = train.optimise(expert, rows, config, checkpoints, _extra(expert, given))
        return composite.save(_as_lora(expert, given), cls.kind, source, config, len(rows) // 2, log, out)


def _parameters(given: EffortOptions, seed: int) -> ExpertParams:
    names = ("epochs", "learning_rate", "crop", "base")
    return ExpertParams(seed=seed, **{name: getattr(given, name) for name in names})


def _extra(expert: backbone.Expert, given: EffortOptions):
    """What is added to the loss: the two regularisers, None where both are off."""
    if not given.orthogonality and not given.preservation:
        return None
    return lambda: residual.penalty(expert.model, given.orthogonality, given.preservation)


def _as_lora(expert: backbone.Expert, given: EffortOptions) -> backbone.Expert:
    """The same expert as a LoRA on the whole layers of its base."""
    from peft import get_peft_model

    whole = backbone.load(given.base, given.revision)
    model = get_peft_model(whole.model, residual.config(given.rank))
    residual.into_lora(expert.model, model)
    return replace(expert, model=model)
