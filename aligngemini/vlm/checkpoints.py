"""Checkpoints of a trainer, each a folder: marked when it is whole, and compared with its digests before it is used."""

import json
import shutil
from pathlib import Path

from aligngemini.core import json_file, manifest, paths
from aligngemini.core.progress import say

PART = ".part-checkpoint"  # where one is written
MARK = "whole.json"  # size and digest of every file; written last


def settle(home: Path) -> None:
    """Mark the checkpoint that was just written to `home` / PART, and move it to `home`."""
    made = every(home / PART)[0]
    json_file.write(made / MARK, {"files": manifest.files(made)})
    made.rename(home / made.name)
    shutil.rmtree(home / PART)


def newest(home: Path) -> Path | None:
    """The newest checkpoint in `home` that is as it was saved, None without one.

    What is newer and damaged is deleted, with a line for each, and what a kill left half written.
    """
    shutil.rmtree(home / PART, ignore_errors=True)
    there = every(home)
    for checkpoint in there:
        if not (problem := _damage(checkpoint)):
            return checkpoint
        say(f"passed over the checkpoint {paths.short(checkpoint)}: {problem}")
        shutil.rmtree(checkpoint)
    if there:
        say("no checkpoint can be used: training starts anew")
    return None


def every(home: Path) -> list[Path]:
    """The checkpoints in `home` by the names that transformers gives them, the newest first."""
    named = [path for path in home.glob("checkpoint-*") if path.is_dir() and path.name[11:].isdigit()]
    return sorted(named, key=lambda path: int(path.name[11:]), reverse=True)


def _damage(checkpoint: Path) -> str:
    try:
        saved, there = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))["files"], manifest.files(checkpoint)
        return next((f"{name} is not as it was saved" for name, entry in saved.items() if there.get(name) != entry), "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return f"its {MARK}, which is written last, is missing or damaged, or a file cannot be read"
