"""Where things are: the only module that knows absolute paths."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).resolve().parents[1]


def resolve(text: str | Path) -> Path:
    """Return the absolute path of `text`; a relative one stands on the project, not on the working folder."""
    return (ROOT / Path(text).expanduser()).resolve()


def outputs() -> Path:
    """Return the folder of all runs: ALIGNGEMINI_OUTPUTS, or `outputs` in the project."""
    return resolve(os.environ.get("ALIGNGEMINI_OUTPUTS") or "outputs")


def set_outputs(folder: str | None) -> None:
    """Take a folder from the command line: relative to the working directory, as people type it."""
    if folder:
        os.environ["ALIGNGEMINI_OUTPUTS"] = str(Path(folder).absolute())


def built() -> Path:
    """Return the folder of what is made from data sets: ALIGNGEMINI_BUILT, or `data/built` in the project."""
    return resolve(os.environ.get("ALIGNGEMINI_BUILT") or "data/built")


def notebooks() -> Path:
    """Return the folder of notebooks and recipes: ALIGNGEMINI_NOTEBOOKS, or `notebooks` in the project."""
    return resolve(os.environ.get("ALIGNGEMINI_NOTEBOOKS") or "notebooks")


def notebook(name: str) -> Path:
    """Return the path of the notebook called `name`, e.g. "02_vlm_dpo"."""
    return notebooks() / f"{name}.ipynb"


def short(path: str | Path) -> str:
    """Return `path` as people read it: relative to the working directory where it lies under it."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
