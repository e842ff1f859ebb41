"""Direct preference optimisation of the language model's LoRA adapter, with TRL's own trainer."""

import math
from pathlib import Path

import pandas as pd
import torch
from transformers import PrinterCallback, TrainerCallback

from ..workbook.progress import note
from . import pairs as preference
from .load import VLM, dtype_for
from .once import look_once

# Attention and MLP of the language model and of nothing else: the vision tower has projections of the same names.
TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


class Watch(TrainerCallback):
    """Progress for the workbook; and the first step must look like DPO: loss ln 2, gradient not zero."""

    def on_step_end(self, args, state, control, **kwargs):
        note("DPO", state.global_step, state.max_steps)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.global_step == 1 and logs and "grad_norm" in logs:
            check_start(float(logs["loss"]), float(logs["grad_norm"]))


def check_start(loss: float, gradient: float) -> None:
    """Raise RuntimeError unless a first DPO step has loss ln 2 and a gradient.

    Without an answer to learn from (say, cut off by a maximum length) the loss is ln 2 as well, but nothing moves.
    """
    if not abs(loss - math.log(2)) <= 0.02 or not gradient > 0:  # so that NaN is caught too
        raise RuntimeError(
            f"DPO did not start as it must: first loss {loss:.4f} (ln 2 is 0.6931), gradient {gradient:.2g}. "
            "The adapter does not start at zero, or the answers do not reach the model; look at one batch of pairs."
        )


def settings(cfg, checkpoints: Path):
    """The `DPOConfig` for notebook 02's parameters. No maximum length: it would cut image tokens or answers."""
    from trl import DPOConfig

    return DPOConfig(
        output_dir=str(checkpoints),
        beta=cfg.beta,
        learning_rate=cfg.learning_rate,
        num_train_epochs=cfg.epochs,
        per_device_train_batch_size=cfg.batch_size,
        gradient_accumulation_steps=cfg.gradient_accumulation,
        seed=cfg.seed,
        max_length=None,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        logging_steps=5,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=cfg.checkpoint_steps,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        bf16=dtype_for(cfg.precision) == torch.bfloat16,
        **_checkpointing(DPOConfig, cfg.gradient_checkpointing),
    )


def _checkpointing(config, wanted: bool) -> dict[str, bool]:
    """Activations recomputed in the backward pass, or kept: under the newer of the setting's two names if known."""
    newer = "activation_checkpointing"
    return {newer if newer in config.__dataclass_fields__ else "gradient_checkpointing": wanted}


def build(vlm: VLM, frame: pd.DataFrame, cfg, checkpoints: Path):
    """A `DPOTrainer` over preference pairs; the reference is the same model with its adapter switched off."""
    from peft import LoraConfig
    from trl import DPOTrainer

    lora = LoraConfig(
        r=cfg.lora_rank,
        lora_alpha=cfg.lora_alpha,
        lora_dropout=cfg.lora_dropout,
        target_modules=TARGETS,
        task_type="CAUSAL_LM",
    )
    vlm.model.train()
    trainer = DPOTrainer(
        model=vlm.model,
        args=settings(cfg, checkpoints),
        train_dataset=preference.dataset(frame),
        processing_class=vlm.processor,
        peft_config=lora,
        callbacks=[Watch()],
    )
    look_once(trainer.model)
    trainer.remove_callback(PrinterCallback)  # the history is a table, and progress has its own line
    return trainer


def train(trainer, out: Path) -> Path:
    """Train, going on from the last complete checkpoint if there is one; save adapter and history in `out`."""
    from transformers.trainer_utils import get_last_checkpoint

    folder = Path(trainer.args.output_dir)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder) if folder.is_dir() else None)
    trainer.model.save_pretrained(out)
    history(trainer).to_parquet(Path(out) / "history.parquet", index=False)
    return Path(out)


def history(trainer) -> pd.DataFrame:
    """The logged steps: step, loss, margin (reward of chosen minus rejected), accuracy of the preference, learning
    rate.
    """
    names = {"rewards/margins": "margin", "rewards/accuracies": "accuracy"}
    rows = [row for row in trainer.state.log_history if "loss" in row]
    return pd.DataFrame(rows).rename(columns=names)[["step", "loss", "margin", "accuracy", "learning_rate"]]
