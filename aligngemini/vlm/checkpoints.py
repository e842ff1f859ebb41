"""Checkpoints of TRL's trainer: marked when they are whole, and compared with their digests before they are used."""

import json
import shutil
from pathlib import Path

from accelerate import PartialState
from transformers import TrainerCallback

from aligngemini.core import json_file, manifest, paths
from aligngemini.core.progress import say

MARK = "whole.json"  # size and digest of every file; written last


class Marks(TrainerCallback):
    """Marks each checkpoint once every process has written its part."""

    def on_save(self, args, state, control, **kwargs):
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            newest = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            json_file.write(newest / MARK, manifest.files(newest))


def newest(home: Path) -> Path | None:
    """The newest checkpoint in `home` that is as it was saved, None without one.

    Newer ones are deleted, with a line for each: a kill or a full disk left them half written, or they are damaged.
    """
    there = sorted(home.glob("checkpoint-*"), key=lambda path: int(path.name[11:]), reverse=True)
    for checkpoint in there:
        if not (problem := _damage(checkpoint)):
            return checkpoint
        say(f"passed over the checkpoint {paths.short(checkpoint)}: {problem}")
        shutil.rmtree(checkpoint)
    if there:
        say("no checkpoint can be used: training starts anew")
    return None


def _damage(checkpoint: Path) -> str:
    try:
        saved = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))
        files = manifest.files(checkpoint)
        return next((f"{name} is not as it was saved" for name in saved if files.get(name) != saved[name]), "")
    except (OSError, ValueError, TypeError):
        return f"its {MARK}, which is written last, is missing or damaged, or a file cannot be read"
