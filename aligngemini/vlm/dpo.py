"""Preference optimisation (DPO) of the language model's LoRA adapter, or fine-tuning on the chosen answers alone (SFT).

Both with TRL's own DPO trainer: the same pairs, images and steps, and another loss.
"""

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import PrinterCallback, TrainerCallback

from aligngemini.branches import domain
from aligngemini.core import devices
from aligngemini.core.params import Refused
from aligngemini.core.progress import note

from . import adapter, launch, parts, preference_pairs
from .answer_positions import project_answers_alone
from .branch import VLMBranch
from .checkpoints import Marks, newest
from .load import VLM, dtype_for
from .params import VLMParams
from .prompt_packing import pack_prompts
from .vision_cache import CheckedCollator, cache_vision_features

LOSSES = {"dpo": ["sigmoid"], "sft": ["sft"], "dpo+sft": ["sigmoid", "sft"]}  # TRL's names; several are added up
START = {"dpo": math.log(2)}  # the first loss, where it is known beforehand


class Watch(TrainerCallback):
    """Progress for the workbook; and the first step must look like that of the objective."""

    def __init__(self, objective: str):
        self.objective = objective

    def on_step_end(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            note(self.objective.upper(), state.global_step, state.max_steps)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.global_step == 1 and logs and "grad_norm" in logs:
            check_start(float(logs["loss"]), float(logs["grad_norm"]), self.objective)


def check_start(loss: float, gradient: float, objective: str = "dpo") -> None:
    """Raise RuntimeError unless a first step has a gradient and the loss it must have: ln 2 for dpo; with sft the
    surprise at an answer, which is above zero, counts too.

    Without an answer to learn from (say, cut off by a maximum length) the loss of dpo is ln 2 as well, but nothing
    moves.
    """
    first = START.get(objective)
    right = abs(loss - first) <= 0.02 if first else 0 < loss < math.inf
    if not right or not gradient > 0:  # so that NaN is caught too
        must = f"it must be {first:.4f}" if first else "it must be above zero"
        raise RuntimeError(
            f"{objective.upper()} did not start as it must: first loss {loss:.4f} ({must}), gradient {gradient:.2g}. "
            "The adapter does not start at zero, or the answers do not reach the model; look at one batch of pairs."
        )


def settings(config: VLMParams, checkpoints: Path):
    """The `DPOConfig` for notebook 02's parameters. No maximum length: it would cut image tokens or answers."""
    from trl import DPOConfig

    kind = devices.best()
    at_once, steps = launch.shared(config, int(os.environ.get("WORLD_SIZE", 1)))
    arguments = DPOConfig(
        output_dir=str(checkpoints),
        beta=config.beta,
        loss_type=LOSSES[config.objective],
        learning_rate=config.learning_rate,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=steps,
        seed=config.seed,
        max_length=None,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        logging_steps=1,  # a mean over several steps would forget those before a kill
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=2,  # a kill may leave the newest half written
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        remove_unused_columns=False,
        disable_dropout=not config.lora_dropout,
        ddp_find_unused_parameters=False,  # every adapter has its part in every loss
        dataloader_pin_memory=kind in devices.NARROW,
        bf16=dtype_for(config.precision) == torch.bfloat16,
        use_cpu=kind == "cpu",  # where `load` puts the base; bfloat16 is refused there otherwise
        **{_recomputing(DPOConfig): config.gradient_checkpointing},
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # a process has one GPU: TRL refuses to spread batches over several
    return _reentrant(arguments)


def _recomputing(arguments) -> str:
    """The option that computes activations anew; transformers 5.17 knows its older name alone."""
    names = "activation_checkpointing", "gradient_checkpointing"
    return next(name for name in names if hasattr(arguments, f"{name}_kwargs"))


def _reentrant(arguments):
    """Under ZeRO-3, activations beside frozen weights can only be recomputed in the older, reentrant way
    (huggingface/trl#2514).
    """
    if arguments.deepspeed_plugin is not None and arguments.deepspeed_plugin.zero_stage == 3:
        setattr(arguments, f"{_recomputing(arguments)}_kwargs", {"use_reentrant": True})
    return arguments


def lora(vlm: VLM, config: VLMParams):
    """The `LoraConfig` for notebook 02's parameters: on the language model alone, by its own names of layers."""
    from peft import LoraConfig

    rates = {"r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": config.lora_dropout}
    return LoraConfig(**rates, target_modules=parts.lora_targets(vlm.model), task_type="CAUSAL_LM")


def build(vlm: VLM, frame: pd.DataFrame, config: VLMParams, checkpoints: Path | None = None):
    """TRL's `DPOTrainer` over preference pairs; the reference is the same model with its adapter switched off.

    Without `checkpoints` it is there to be looked at: it has no folder of its own, and must not train.
    """
    from trl import DPOTrainer

    vlm.model.train()
    trainer = DPOTrainer(
        model=vlm.model,
        args=settings(config, checkpoints or Path(tempfile.gettempdir())),
        train_dataset=preference_pairs.dataset(frame),
        processing_class=vlm.processor,
        peft_config=lora(vlm, config),
        callbacks=[Watch(config.objective), Marks()],
        data_collator=CheckedCollator(vlm.processor, vlm.max_pixels),
    )
    cache_vision_features(trainer.model)
    project_answers_alone(trainer.model)
    if config.share_prompt:
        pack_prompts(trainer.model)
    if config.quantise:  # TRL rounds the adapter of a 4-bit base to bfloat16, whose numbers steps of 1e-6 cannot move
        for weight in filter(lambda each: each.requires_grad, trainer.model.parameters()):
            weight.data = weight.data.float()
    trainer.remove_callback(PrinterCallback)  # the history is a table, and progress has its own line
    return trainer


def fit(
    vlm: VLM,
    frame: pd.DataFrame,
    config: VLMParams,
    checkpoints: Path,
    out: Path,
    validation: pd.DataFrame | None = None,
) -> Path:
    """Train on preference pairs, in this process or in those that accelerate_config asks for, and write the adapter;
    with validation images also which images are unlike the training images (branches.domain).

    Goes on from the newest checkpoint that is as it was saved; raises Refused for what cannot start.
    """
    if updates(len(frame), config) < 2:
        raise Refused(
            f"{len(frame)} pairs make one update, and the learning rate begins at zero, so that nothing would move: "
            "raise train_images or epochs, or lower batch_size or gradient_accumulation."
        )
    seen = domain.of(VLMBranch(vlm), frame, validation)
    if config.accelerate_config:
        vlm.model.to("cpu")  # the processes load their own, and need the space
        torch.cuda.empty_cache()
        newest(checkpoints)  # what it says in a process of its own, nobody reads
        launch.train(frame, config, checkpoints, out)
    else:
        train(build(vlm, frame, config, checkpoints), out, adapter.facts(config, len(frame), vlm.processor))
    domain.save(seen, Path(out))
    return Path(out)


def train(trainer, out: Path, facts: dict[str, Any]) -> Path:
    """Train, going on from the newest checkpoint that is as it was saved; save adapter and history in `out`, with
    `facts`, the adapter's metadata. Of several processes the first one saves.
    """
    from transformers.trainer_utils import get_last_checkpoint

    folder, accelerator = Path(trainer.args.output_dir), trainer.accelerator
    if trainer.is_world_process_zero():
        newest(folder)
    accelerator.wait_for_everyone()
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder) if folder.is_dir() else None)
    # FSDP and DeepSpeed keep weights in pieces, which every process has a part in gathering
    pieces = trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled
    weights = accelerator.get_state_dict(trainer.model_wrapped) if pieces else None
    if trainer.is_world_process_zero():
        adapter.save(accelerator.unwrap_model(trainer.model), out, facts, weights)
        history(trainer).to_parquet(Path(out) / "history.parquet", index=False)
    accelerator.wait_for_everyone()
    return Path(out)


def updates(pairs: int, config: VLMParams) -> int:
    """Weight updates of a training on so many pairs, as the trainer counts them."""
    return math.ceil(config.epochs * math.ceil(math.ceil(pairs / config.batch_size) / config.gradient_accumulation))


def history(trainer) -> pd.DataFrame:
    """The logged steps: step, loss, margin (reward of chosen minus rejected), accuracy of the preference, learning
    rate.
    """
    names = {"rewards/margins": "margin", "rewards/accuracies": "accuracy"}
    rows = [row for row in trainer.state.log_history if "loss" in row]
    return pd.DataFrame(rows).rename(columns=names)[["step", "loss", "margin", "accuracy", "learning_rate"]]
