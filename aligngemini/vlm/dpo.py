"""Preference optimisation (DPO) of the language model's LoRA adapter, or fine-tuning on the chosen answers alone (SFT).

Both with TRL's own DPO trainer: the same pairs, pictures and steps, and another loss.
"""

import math
import os
import tempfile
from pathlib import Path

import pandas as pd
import torch
from transformers import PrinterCallback, TrainerCallback

from aligngemini.core.params import Refused
from aligngemini.core.progress import note

from . import adapter, launch, preference_pairs
from .checkpoints import newest
from .load import VLM, dtype_for
from .params import VLMParams
from .prompt_packing import pack_prompts
from .vision_cache import CheckedCollator, cache_vision_features

# Attention and MLP of the language model and of nothing else: the vision tower has projections of the same names.
TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


LOSSES = {"dpo": "sigmoid", "sft": "sft"}  # TRL's names
START = {"dpo": math.log(2), "sft": None}  # the first loss, where it is known beforehand


class Watch(TrainerCallback):
    """Progress for the workbook; and the first step must look like that of the objective (dpo or sft)."""

    def __init__(self, objective: str):
        self.objective = objective

    def on_step_end(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            note(self.objective.upper(), state.global_step, state.max_steps)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.global_step == 1 and logs and "grad_norm" in logs:
            check_start(float(logs["loss"]), float(logs["grad_norm"]), self.objective)


def check_start(loss: float, gradient: float, objective: str = "dpo") -> None:
    """Raise RuntimeError unless a first step has a gradient and the loss it must have: ln 2 for dpo, for sft the
    surprise at an answer, which is above zero.

    Without an answer to learn from (say, cut off by a maximum length) the loss of dpo is ln 2 as well, but nothing
    moves.
    """
    first = START[objective]
    right = abs(loss - first) <= 0.02 if first else 0 < loss < math.inf
    if not right or not gradient > 0:  # so that NaN is caught too
        must = f"it must be {first:.4f}" if first else "it must be above zero"
        raise RuntimeError(
            f"{objective.upper()} did not start as it must: first loss {loss:.4f} ({must}), gradient {gradient:.2g}. "
            "The adapter does not start at zero, or the answers do not reach the model; look at one batch of pairs."
        )


def settings(cfg: VLMParams, checkpoints: Path):
    """The `DPOConfig` for notebook 02's parameters. No maximum length: it would cut image tokens or answers."""
    from trl import DPOConfig

    config = DPOConfig(
        output_dir=str(checkpoints),
        beta=cfg.beta,
        loss_type=[LOSSES[cfg.objective]],
        learning_rate=cfg.learning_rate,
        num_train_epochs=cfg.epochs,
        per_device_train_batch_size=cfg.batch_size,
        gradient_accumulation_steps=accumulation(cfg, int(os.environ.get("WORLD_SIZE", 1))),
        seed=cfg.seed,
        max_length=None,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        logging_steps=1,  # a mean over several steps would forget those before a kill
        save_strategy="steps",
        save_steps=cfg.checkpoint_steps,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        remove_unused_columns=False,
        disable_dropout=not cfg.lora_dropout,
        ddp_find_unused_parameters=False,  # every adapter has its part in every loss
        dataloader_pin_memory=torch.cuda.is_available(),
        bf16=dtype_for(cfg.precision) == torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),  # where `load` puts the base; bfloat16 is refused there otherwise
        **_checkpointing(DPOConfig, cfg.gradient_checkpointing),
    )
    config._n_gpu = min(config.n_gpu, 1)  # a process has one GPU: to spread batches over all it sees is refused by TRL
    return _older_checkpoints(config)


def _older_checkpoints(config):
    """Under ZeRO-3, activations beside frozen weights are recomputed in the older, reentrant way alone
    (huggingface/trl#2514). TRL says so under the setting's older name, where newer transformers do not look.
    """
    if config.deepspeed_plugin is not None and config.deepspeed_plugin.zero_stage == 3:
        config.activation_checkpointing_kwargs = config.gradient_checkpointing_kwargs = {"use_reentrant": True}
    return config


def _checkpointing(config, wanted: bool) -> dict[str, bool]:
    """Whether activations are computed again in the backward pass: the newer of the setting's two names if known."""
    newer = "activation_checkpointing"
    return {newer if newer in config.__dataclass_fields__ else "gradient_checkpointing": wanted}


def accumulation(cfg: VLMParams, processes: int) -> int:
    """Steps per weight update of each of `processes`, so that an update sees as many pairs as with one process.

    Raises Refused where gradient_accumulation cannot be divided among them.
    """
    steps, rest = divmod(cfg.gradient_accumulation, processes)
    if rest:
        raise Refused(
            f"gradient_accumulation {cfg.gradient_accumulation} cannot be divided among {processes} processes, which "
            f"share the pairs of an update: give a multiple of {processes}."
        )
    return steps


def lora(cfg: VLMParams):
    """The `LoraConfig` for notebook 02's parameters."""
    from peft import LoraConfig

    return LoraConfig(
        r=cfg.lora_rank,
        lora_alpha=cfg.lora_alpha,
        lora_dropout=cfg.lora_dropout,
        target_modules=TARGETS,
        task_type="CAUSAL_LM",
    )


def build(vlm: VLM, frame: pd.DataFrame, cfg: VLMParams, checkpoints: Path | None = None):
    """TRL's `DPOTrainer` over preference pairs; the reference is the same model with its adapter switched off.

    Without `checkpoints` it is there to be looked at: it has no folder of its own, and must not train.
    """
    from .trainer import Trainer

    vlm.model.train()
    trainer = Trainer(
        model=vlm.model,
        args=settings(cfg, checkpoints or Path(tempfile.gettempdir())),
        train_dataset=preference_pairs.dataset(frame),
        processing_class=vlm.processor,
        peft_config=lora(cfg),
        callbacks=[Watch(cfg.objective)],
        data_collator=CheckedCollator(vlm.processor, vlm.max_pixels),
    )
    cache_vision_features(trainer.model)
    if cfg.share_prompt:
        pack_prompts(trainer.model)
    if cfg.quantise:  # TRL rounds the adapter of a 4-bit base to bfloat16, whose numbers steps of 1e-6 cannot move
        for weight in filter(lambda each: each.requires_grad, trainer.model.parameters()):
            weight.data = weight.data.float()
    trainer.remove_callback(PrinterCallback)  # the history is a table, and progress has its own line
    return trainer


def fit(vlm: VLM, frame: pd.DataFrame, cfg: VLMParams, checkpoints: Path, out: Path) -> Path:
    """Train on preference pairs, in this process or in those that accelerate_config asks for, and write the adapter.

    Goes on from the newest checkpoint that is as it was saved; raises Refused for what cannot start.
    """
    if cfg.accelerate_config:
        vlm.model.to("cpu")  # the processes load their own, and need the room
        torch.cuda.empty_cache()
        newest(checkpoints)  # what it says in a process of its own, nobody reads
        return launch.train(frame, cfg, checkpoints, out)
    return train(build(vlm, frame, cfg, checkpoints), out, adapter.facts(cfg, len(frame), vlm.processor))


def train(trainer, out: Path, facts: dict) -> Path:
    """Train, going on from the newest checkpoint that is as it was saved; save adapter and history in `out`, with
    `facts`, the adapter's metadata. Of several processes the first one saves.
    """
    from transformers.trainer_utils import get_last_checkpoint

    folder = Path(trainer.args.output_dir)
    if trainer.is_world_process_zero():
        newest(folder)
    trainer.accelerator.wait_for_everyone()
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder) if folder.is_dir() else None)
    weights = _gathered(trainer)
    if trainer.is_world_process_zero():
        adapter.save(trainer.accelerator.unwrap_model(trainer.model), out, facts, weights)
        history(trainer).to_parquet(Path(out) / "history.parquet", index=False)
    trainer.accelerator.wait_for_everyone()
    return Path(out)


def _gathered(trainer) -> dict | None:
    """All weights, where FSDP or DeepSpeed keeps them in pieces; every process takes part."""
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        return trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return None


def updates(pairs: int, cfg: VLMParams) -> int:
    """Weight updates of a training on so many pairs, as the trainer counts them."""
    return math.ceil(cfg.epochs * math.ceil(math.ceil(pairs / cfg.batch_size) / cfg.gradient_accumulation))


def history(trainer) -> pd.DataFrame:
    """The logged steps: step, loss, margin (reward of chosen minus rejected), accuracy of the preference, learning
    rate.
    """
    names = {"rewards/margins": "margin", "rewards/accuracies": "accuracy"}
    rows = [row for row in trainer.state.log_history if "loss" in row]
    return pd.DataFrame(rows).rename(columns=names)[["step", "loss", "margin", "accuracy", "learning_rate"]]
