"""A run in any folder: for tests of what computes and saves, without a notebook."""

from pathlib import Path

from aligngemini.core import stages
from aligngemini.core.run import Run


def folder_run(folder: Path, seed: int = 0) -> Run:
    """An unfinished run of notebook 01 in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {"notebook": stages.DATA, "name": "0" * 12, "status": "running"}
    return Run(folder, {"run": run, "question": {"params": {"seed": seed, "scale": "tiny"}, "inputs": {}}})
