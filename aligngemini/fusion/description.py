"""What `detector.json` says of a detector, and the branches that it describes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from aligngemini.branches import registry
from aligngemini.branches.branch import Branch
from aligngemini.core import reading
from aligngemini.core.params import Refused
from aligngemini.fusion.rules import Fusion

if TYPE_CHECKING:
    from aligngemini.core.saved_runs import SavedRun

FILE = "detector.json"


class DescribedBranch(BaseModel, extra="allow"):
    """A branch as `detector.json` describes it; `run` is the one whose adapter it is ("notebook/run", "" for none)."""

    name: Annotated[str, Field(pattern=r"^\w+$")]  # it names a folder, too
    kind: str
    facts: dict[str, Any]
    run: str
    trained_on: str = ""  # what its training images were, "" in older descriptions


class Description(BaseModel):
    """What `detector.json` holds; `Fusion.from_dict` knows more of its fusion."""

    branches: list[DescribedBranch]
    fusion: dict[str, Any]


def read(folder: Path) -> Description:
    """Return what `detector.json` in a folder says: branches and fusion. Raises Refused."""
    try:
        config = reading.json(folder / FILE)
    except (OSError, ValueError) as error:
        raise Refused(f"{folder} holds no packed detector ({error}): name a run of notebook 04 instead.") from error
    unclear = Refused(f"{folder} does not say what its detector is made of: name another run, or fetch it again.")
    try:
        config = Description.model_validate(config)
    except ValidationError as error:
        raise unclear from error
    names = {each.name for each in config.branches}
    if not len(config.branches) == len(names) == len(Fusion.from_dict(config.fusion).thresholds):
        raise unclear
    return config


def run_folders(run: "SavedRun", config: Description) -> dict[str, Path]:
    """Return name -> folder with the files of each branch of a run of notebook 04. Raises Refused."""
    adapters = {f"{each.notebook}/{each.name}": each.path("adapter") for each in run.inputs.values()}
    for name in {each.run for each in config.branches if each.run}.difference(adapters):
        raise Refused(f"{run.folder} does not stand on the run {name} that it names: run notebook 04 again.")
    return {each.name: adapters.get(each.run) or run.path("branches", each.name) for each in config.branches}


def load(config: Description, folders: dict[str, Path]) -> list[Branch]:
    """Return the branches, ready to score, from the folder of each by name. Raises Refused."""
    kinds = [registry.kind(each.kind).load() for each in config.branches]
    described = zip(kinds, config.branches, strict=True)
    return [kind.load(each.facts, folders[each.name], each.name) for kind, each in described]


def of_run(run: "SavedRun", config: Description) -> list[Branch]:
    """Return the branches of a complete run of notebook 04, ready to score. Raises Refused."""
    return load(config, run_folders(run, config))
