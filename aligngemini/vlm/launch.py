"""Training in several processes: `accelerate launch` starts them, this process waits, shows progress, and ends them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch

from aligngemini.core import json_file, paths, reading, redaction
from aligngemini.core.params import Refused, said, shown
from aligngemini.core.progress import FILE, note

from .params import VLMParams

PAUSE = 0.5  # seconds between two looks at the progress
GRACE = 15  # seconds that processes get to end by themselves


def train(frame: pd.DataFrame, cfg: VLMParams, checkpoints: Path, out: Path) -> Path:
    """Train on preference pairs as `dpo.train` does, in the processes that cfg.accelerate_config asks for.

    Raises Refused for what cannot start, RuntimeError with the first error of a process and where its log is.
    """
    file = paths.resolve(cfg.accelerate_config)
    config = check(file)
    job = _job(frame, cfg, checkpoints, out)
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)]
    words += ["-m", "aligngemini.vlm.worker", str(job)]
    with (job / "log.txt").open("w") as log:
        options = {"env": _environment(job, config.use_cpu), "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen(words, **options)
        try:
            _wait(process, job / "progress.json")
        finally:
            end(process)
    redaction.hide(job / "log.txt")
    if process.returncode:
        raise _failure(job)
    return Path(out)


def check(file: Path):
    """accelerate's configuration in `file`; raises Refused unless it is one that this machine can follow."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    reading.mapping(file, paths.short(file))
    try:
        config = load_config_from_file(str(file))
    except Exception as error:  # it looks up what it finds without a check: of many kinds
        why = shown(said(error))
        raise Refused(
            f"accelerate cannot read {file}: {why}. Start from one of notebooks/recipes/accelerate."
        ) from error
    if config.distributed_type == DistributedType.DEEPSPEED and find_spec("deepspeed") is None:
        raise Refused(f"{file.name} needs DeepSpeed: `pip install -e '.[deepspeed]'`, or take ddp.yaml or fsdp.yaml.")
    if not config.use_cpu and torch.cuda.device_count() < config.num_processes:
        raise Refused(
            f"{file.name} asks for {config.num_processes} GPUs and {torch.cuda.device_count()} are here: change its "
            "num_processes, or leave accelerate_config empty."
        )
    return config


def _job(frame: pd.DataFrame, cfg: VLMParams, checkpoints: Path, out: Path) -> Path:
    """A folder with all that a process needs to know, beside the checkpoints."""
    job = Path(checkpoints) / "job"
    shutil.rmtree(job, ignore_errors=True)
    job.mkdir(parents=True)
    frame.to_parquet(job / "pairs.parquet", index=False)
    order = {"params": cfg.model_dump(), "checkpoints": str(checkpoints), "out": str(out)}
    json_file.write(job / "job.json", order | {"kernel": os.getpid()})
    return job


def _environment(job: Path, cpu: bool) -> dict[str, str]:
    # The launcher of several processes does not pass on that they are to stay off the GPUs.
    variables = {FILE: str(job / "progress.json"), "ACCELERATE_USE_CPU": str(cpu).lower()}
    path = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | variables | {"PYTHONPATH": path}


def _wait(process: subprocess.Popen, file: Path) -> None:
    """Show the progress that the first process writes, until all have ended."""
    seen = None
    while process.poll() is None:
        time.sleep(PAUSE)
        state = reading.known(file)
        if state and state != seen and state["total"]:
            note(state["label"], state["done"], state["total"])
        seen = state


def end(process: subprocess.Popen) -> None:
    """End the launcher and all that it started, if they still run."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                continue


def _failure(job: Path) -> Exception:
    """The first error of a process, in its own words."""
    error = reading.known(job / "error.json")
    if not error:
        return RuntimeError(f"training in several processes ended without a word; its log is {job / 'log.txt'}")
    if error["refused"]:
        return Refused(error["text"])
    return RuntimeError(f"training in several processes failed: {error['text']} (its log is {job / 'log.txt'})")
