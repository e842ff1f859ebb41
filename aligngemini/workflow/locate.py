"""Which run a text on the command line means, wherever it lies."""

from pathlib import Path

from aligngemini.core import manifest, paths, saved_runs, stages
from aligngemini.core.params import Refused, shown
from aligngemini.core.saved_runs import SavedRun

EVERY = (stages.ANALYSIS, stages.FUSION, stages.PEERS, stages.EXPERT, stages.VLM, stages.DATA)


def run(text: str, *notebooks: str, check: bool = True) -> SavedRun:
    """Return the run that `text` names, of one of `notebooks`; the outputs become those in which it lies.

    It is a run's name or its beginning, "latest", a run's folder, or a folder of outputs. Raises `Refused` if there is
    none, or (with `check`) it is damaged.
    """
    folder = paths.resolve(text, Path.cwd())
    if (folder / manifest.NAME).is_file():
        if folder.parent.name not in notebooks:
            numbers = " or ".join(name[:2] for name in reversed(notebooks))
            raise Refused(f"{shown(text)} is no run of notebook {numbers}: name a run that stands on it")
        paths.set_outputs(str(folder.parents[1]))
        return saved_runs.find(folder.name, folder.parent.name, check=check)
    if any((folder / name).is_dir() for name in notebooks):
        paths.set_outputs(str(folder))
        text = "latest"
    elif "/" in text:
        raise Refused(f"{shown(text)} is neither a run nor a folder of outputs: `aligngemini runs` lists what there is")
    return saved_runs.find(text, *notebooks, check=check)
