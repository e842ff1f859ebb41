"""Training in several processes: `accelerate launch` starts them, this process waits, shows progress, and ends them.

Each of them is `python -m aligngemini.vlm.launch JOB`, where JOB is a folder with all that it needs to know.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import torch

from aligngemini.core import json_file, params, paths, processes, reading, redaction
from aligngemini.core.params import Refused, said, shown
from aligngemini.core.progress import FILE, note

from .params import VLMParams

ERROR = "error.txt"
PAUSE = 0.5  # seconds between two looks at the progress


def train(frame: pd.DataFrame, config: VLMParams, checkpoints: Path, out: Path) -> Path:
    """Train on preference pairs as `dpo.train` does, in the processes that config.accelerate_config asks for.

    Raises Refused for what cannot start, RuntimeError with the first error of a process and where its log is.
    """
    file, job = paths.resolve(config.accelerate_config), Path(checkpoints) / "job"
    asked = check(file)
    shared(config, asked.num_processes)
    shutil.rmtree(job, ignore_errors=True)
    job.mkdir(parents=True)
    frame.to_parquet(job / "pairs.parquet", index=False)
    order = {"params": config.model_dump(), "checkpoints": str(checkpoints), "out": str(out), "kernel": os.getpid()}
    json_file.write(job / "job.json", order)
    if _run(file, job, asked.use_cpu):
        why = (job / ERROR).read_text(encoding="utf-8") if (job / ERROR).exists() else "it ended without a word"
        raise RuntimeError(f"training in several processes failed: {why} (its log is {job / 'log.txt'})")
    return Path(out)


def check(file: Path):
    """accelerate's configuration in `file`; raises Refused unless it is one that this machine can follow."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    reading.mapping(file, paths.short(file))
    try:
        config = load_config_from_file(str(file))
    except Exception as error:  # it looks up what it finds without a check: of many kinds
        why = f"accelerate cannot read {file}: {shown(said(error))}"
        raise Refused(f"{why}. Start from one of notebooks/recipes/accelerate.") from error
    if config.distributed_type == DistributedType.DEEPSPEED and find_spec("deepspeed") is None:
        raise Refused(f"{file.name} needs DeepSpeed: `pip install -e '.[deepspeed]'`, or take ddp.yaml or fsdp.yaml.")
    if not config.use_cpu and torch.cuda.device_count() < config.num_processes:
        raise Refused(
            f"{file.name} asks for {config.num_processes} GPUs and {torch.cuda.device_count()} are here: change its "
            "num_processes, or leave accelerate_config empty."
        )
    return config


def shared(config: VLMParams, processes: int) -> tuple[int, int]:
    """Pairs at once, at most batch_size, and how often, in each of `processes`, so that an update sees as many pairs as
    with one process.

    Raises Refused where the pairs of an update cannot be divided among them.
    """
    pairs = config.batch_size * config.gradient_accumulation
    share, rest = divmod(pairs, processes)
    if rest:
        raise Refused(
            f"the {pairs} pairs of an update cannot be divided among {processes} processes: "
            f"let batch_size times gradient_accumulation be a multiple of {processes}."
        )
    at_once = max(count for count in range(1, config.batch_size + 1) if not share % count)
    return at_once, share // at_once


def _run(file: Path, job: Path, cpu: bool) -> int:
    """Run the processes, show the progress that the first one writes, and return the launcher's exit code."""
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)]
    words += ["-m", "aligngemini.vlm.launch", str(job)]
    # The launcher of several processes does not pass on that they are to stay off the GPUs.
    variables = {FILE: str(job / "progress.json"), "ACCELERATE_USE_CPU": str(cpu).lower()}
    with (job / "log.txt").open("w") as log:
        process, seen = subprocess.Popen(words, env=os.environ | variables, stdout=log, stderr=log), None
        try:
            while process.poll() is None:
                time.sleep(PAUSE)
                state = reading.known(job / "progress.json")
                if state and state != seen and state["total"]:
                    note(state["label"], state["done"], state["total"])
                seen = state
        finally:
            end(process)
    redaction.hide(job / "log.txt")
    return process.returncode


def end(process: subprocess.Popen) -> None:
    """End the launcher and all that it started, if they still run; checkpoints survive that."""
    if process.poll() is None:
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
        process.wait()


def main(job: Path) -> None:
    """One process: load base and pairs, train, and save the adapter if this is the first one."""
    order = reading.json(job / "job.json")
    processes.end_with(order["kernel"])
    try:
        _train(params.build(VLMParams, order["params"]), job, Path(order["checkpoints"]), Path(order["out"]))
    except Exception as error:
        with suppress(FileExistsError), (job / ERROR).open("x", encoding="utf-8") as file:
            file.write(said(error))  # of the process that fails first: the others fail because of it
        raise


def _train(config: VLMParams, job: Path, checkpoints: Path, out: Path) -> None:
    from . import adapter, dpo, load

    vlm = load.load(config.base, config.base_revision, config.precision, config.max_pixels, config.quantise)
    frame = pd.read_parquet(job / "pairs.parquet")
    trainer = dpo.build(vlm, frame, config, checkpoints)
    if trainer.args.world_size != int(os.environ["WORLD_SIZE"]):
        raise RuntimeError("the processes did not find each other: each would train alone")
    dpo.train(trainer, out, adapter.facts(config, len(frame), vlm.processor))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
