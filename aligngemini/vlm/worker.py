"""One process of several that train together: `accelerate launch -m aligngemini.vlm.worker JOB`, see `launch`."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch

from aligngemini.core import params, processes

from .params import VLMParams


def main(job: Path) -> None:
    """Load base and pairs, train, and save the adapter if this is the first process."""
    order = json.loads((job / "job.json").read_text(encoding="utf-8"))
    processes.end_with(order["kernel"])
    _know_processors_by_number()
    with _reported(job):
        _train(params.build(VLMParams, order["params"]), job, Path(order["checkpoints"]), Path(order["out"]))


def _train(cfg: VLMParams, job: Path, checkpoints: Path, out: Path) -> None:
    from . import adapter, dpo, load

    vlm = load.load(cfg.base, cfg.base_revision, cfg.precision, cfg.max_pixels, cfg.quantise)
    frame = pd.read_parquet(job / "pairs.parquet")
    facts = adapter.facts(cfg, len(frame), vlm.processor)
    trainer = dpo.build(vlm, frame, cfg, checkpoints)
    if trainer.args.world_size != int(os.environ["WORLD_SIZE"]):
        raise RuntimeError("the processes did not find each other: each would train alone")
    dpo.train(trainer, out, facts)


def _know_processors_by_number() -> None:
    """Let torch restore a checkpoint to "cpu:0": accelerate calls the processor that, some versions of transformers
    load a checkpoint to what accelerate says, and torch knows "cpu" alone.
    """
    torch.serialization.register_package(
        99, lambda storage: None, lambda storage, place: storage if place.startswith("cpu:") else None
    )


@contextmanager
def _reported(job: Path) -> Iterator[None]:
    """Leave the error of the process that fails first where `launch` finds it: the others fail because of it."""
    try:
        yield
    except Exception as error:
        record = {"refused": isinstance(error, params.Refused), "text": params.said(error)}
        try:
            with (job / "error.json").open("x", encoding="utf-8") as file:
                json.dump(record, file)
        except FileExistsError:
            print("another process failed before this one", file=sys.stderr)
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
