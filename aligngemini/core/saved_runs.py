"""Runs as they lie on the disk, and which of them a selector means."""

from functools import cached_property
from pathlib import Path
from typing import Any

from aligngemini.core import commands, manifest, paths, stages, verified
from aligngemini.core.params import Refused, names, shown, unknown
from aligngemini.core.progress import say_once
from aligngemini.core.run_text import RunText

SHORTEST = 4  # characters of a run name that are enough, if no other run begins with them
SCALES = ("mini", "photo", "laptop", "colab", "paper")  # smoke is for tests


class SavedRun(RunText):
    """The folder of a run, complete or not.

    It has `folder`, `notebook`, `name` (12 hex digits), `params` (dict, selectors replaced by run names), `seed`,
    `scale` and `manifest`.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, record
        self.notebook: str = record["run"]["notebook"]
        self.name: str = record["run"]["name"]
        self.params: dict[str, Any] = record["question"]["params"]
        self.seed: int = self.params["seed"]
        self.scale: str = self.params["scale"]

    @property
    def complete(self) -> bool:
        """Whether the run is finished."""
        return self.manifest["run"]["status"] == "complete"

    @property
    def results(self) -> dict[str, Any]:
        """The figures given to `finish`; empty before."""
        return self.manifest["results"]

    @property
    def models(self) -> dict[str, Any]:
        """The models given to `finish`; empty before."""
        return self.manifest["models"]

    @cached_property
    def inputs(self) -> dict[str, "SavedRun"]:
        """The runs this one stands on, label -> run; they have inputs of their own. Raises `Refused` if damaged."""
        entries = self.manifest["question"]["inputs"].items()
        return {label: load(entry["notebook"], entry["run"]) for label, entry in entries}

    @property
    def data(self) -> "SavedRun":
        """The run of notebook 01 that this one stands on, directly or not; runs that it stands on share it."""
        direct = [each for each in self.inputs.values() if each.notebook == stages.DATA]
        return direct[0] if direct else next(iter(self.inputs.values())).data

    @property
    def lineage(self) -> dict[str, "SavedRun"]:
        """This run and all that it stands on, directly or not, each once: "05", "04 fusion", "02 vlm 1", "01 data"."""
        found, waiting = {}, [(self.notebook[:2], self)]
        while waiting:
            label, each = waiting.pop(0)
            if all(each.folder != other.folder for other in found.values()):
                found[f"{label} again" if label in found else label] = each
                waiting += [(f"{lower.notebook[:2]} {name}", lower) for name, lower in each.inputs.items()]
        return found

    @property
    def below(self) -> list["SavedRun"]:
        """All runs of `lineage` but this one, sorted by notebook."""
        return sorted(list(self.lineage.values())[1:], key=lambda each: each.notebook)

    def path(self, *parts: str) -> Path:
        """Return the path of a file or folder of this run."""
        return self.folder.joinpath(*parts)


def complete(notebook: str, outputs: Path | None = None) -> list[SavedRun]:
    """Return the complete runs of `notebook` that can be read, the latest last; `outputs`: those of this folder."""
    folders = _folders(notebook, outputs)
    found = [SavedRun(folder, record) for folder in folders if (record := manifest.read(folder))]
    return sorted((run for run in found if run.complete), key=lambda run: run.manifest["run"]["finished"])


def largest_scale(notebook: str) -> str | None:
    """Return the largest scale with a complete run of `notebook`; None if there is none, runs of scale smoke apart.
    A scale of one's own counts like the smallest; of equals the newest counts.
    """
    scales = [run.scale for run in reversed(complete(notebook)) if run.scale != "smoke"]
    return max(scales, key=lambda scale: SCALES.index(scale) if scale in SCALES else 0, default=None)


def unreadable(notebook: str) -> list[Path]:
    """Return the folders of the runs of `notebook` whose manifests cannot be read."""
    return [folder for folder in sorted(_folders(notebook)) if manifest.read(folder) is None]


def load(notebook: str, selector: str, scale: str | None = None) -> SavedRun:
    """Return the complete run that `selector` means.

    "latest" is the latest of `scale` (of any scale if None), "latest key:value …" the latest whose
    parameters have these values; anything else is a run's name or its beginning. Raises `Refused` if there
    is none, or it is damaged.
    """
    return _checked(_selected(notebook, selector, scale))


def find(text: str, *notebooks: str, check: bool = True) -> SavedRun:
    """Return the complete run that a selector means, of the first of `notebooks` that has one like it.

    Raises `Refused` if there is none, or (with `check`) it is damaged: a run that cannot be read is not passed over.
    """
    newest = text.startswith("latest")
    having = [name for name in notebooks if (_folders(name) if newest else text and _called(name, text))]
    if having or newest:
        run = _selected((having or notebooks)[0], text)  # which says how to make one
        return _checked(run) if check else run
    numbers = " or ".join(notebook[:2] for notebook in notebooks)
    raise Refused(
        f"there is no complete run {shown(text)} of notebook {numbers}: `aligngemini runs` lists what there is"
    )


def latest(notebook: str, wanted: dict[str, Any]) -> SavedRun:
    """Return the latest complete run of `notebook` whose parameters have the values `wanted`, as text.

    A line says which runs are left out because they cannot be read. Raises `Refused` if there is none, or it is
    damaged.
    """
    return _checked(_latest(notebook, wanted))


def _selected(notebook: str, selector: str, scale: str | None = None) -> SavedRun:
    wanted = _wanted(notebook, selector)
    if wanted is None:
        return named(notebook, selector)
    return _latest(notebook, wanted | ({} if scale is None else {"scale": scale}))


def _latest(notebook: str, wanted: dict[str, Any]) -> SavedRun:
    runs, lost = [run for run in complete(notebook) if _has(run, wanted)], unreadable(notebook)
    problem = f"the manifest of {', '.join(map(paths.short, lost))} cannot be read" if lost else ""
    if runs:
        for remark in filter(None, [problem and f"passed over: {problem}", runs[-1].ahead]):
            say_once(remark)
        return runs[-1]
    values = " with " + ", ".join(f"{key} {value}" for key, value in wanted.items()) if wanted else ""
    why = f", and {problem}: delete it, then" if lost else ": make one first with"
    raise Refused(f"there is no complete run of {notebook}{values}{why} `{_advice(notebook, wanted)}`")


def _advice(notebook: str, wanted: dict[str, Any]) -> str:
    """The command that makes a run with the values `wanted`; that of all notebooks where one before it has none yet.

    Without a scale among these, it is that of the newest run of the notebook before, else mini.
    """
    stage = stages.find(notebook)
    before = [complete(name) for name in list(stages.STAGES)[: stage.place]]
    wanted = {"scale": next((runs[-1].scale for runs in reversed(before) if runs), "mini")} | wanted
    ready = all(any(_has(run, wanted) for run in runs) for runs in before)
    if ready or stage.asked or wanted.keys() - {*commands.APART}:
        return commands.make(notebook, wanted)
    return commands.onward(wanted["scale"], "", [("seed", str(wanted["seed"]))] if "seed" in wanted else [])


def named(notebook: str, text: str) -> SavedRun:
    """Return the run of `notebook` whose name is `text` or begins with it; raises `Refused` if none, or several."""
    folders = _called(notebook, text)
    if not text or not folders:
        raise Refused(f"{notebook} has no complete run {shown(text)}: `aligngemini runs` lists what there is")
    if len(text) < SHORTEST and folders[0].name != text:
        raise Refused(f"{shown(text)} is too short for the name of a run: give at least {SHORTEST} digits")
    if len(folders) > 1:
        several = ", ".join(folder.name for folder in folders)
        raise Refused(f"several runs of {notebook} begin with {shown(text)}: {several}; give more digits")
    folder = folders[0]
    if (record := manifest.read(folder)) is None:
        place = paths.short(folder)
        problem = f"the manifest of run {folder.name} of {notebook} cannot be read"
        raise Refused(f"{problem}: delete {place} and make the run again")
    return SavedRun(folder, record)


def fitting(notebook: str, selector: str, names: list[str]) -> str:
    """Return the first of the runs `names` that a selector "latest ..." fits; where none does, or it names a run
    itself, the selector.
    """
    wanted = _wanted(notebook, selector)
    if wanted is None:
        return selector
    return next((name for name in names if not wanted or _fits(notebook, name, wanted)), selector)


def _fits(notebook: str, name: str, wanted: dict[str, str]) -> bool:
    """Whether the run `name` has the values `wanted`, or will have them: then its name is itself a selector."""
    promised = _wanted(notebook, name)
    return _has(named(notebook, name), wanted) if promised is None else wanted.items() <= promised.items()


def _called(notebook: str, text: str) -> list[Path]:
    """The folders of the complete runs whose names begin with `text`, or the one that is called so."""
    folders = sorted(folder for folder in _folders(notebook) if folder.name.startswith(text))
    return [folder for folder in folders if folder.name == text] or folders


def _folders(notebook: str, outputs: Path | None = None) -> list[Path]:
    """The folders of complete runs."""
    folder = (outputs or paths.outputs()) / notebook
    return [p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."] if folder.is_dir() else []


def _wanted(notebook: str, selector: str) -> dict[str, str] | None:
    """The values that "latest key:value ..." asks for; None for the name of a run."""
    first, *rest = selector.split() or [""]
    if first != "latest":
        return None
    wanted = {}
    for text in rest:
        key, colon, value = text.partition(":")
        if not colon:
            raise Refused(f"a selector is 'latest', 'latest name:value' or a run's name, not 'latest {text}'")
        if key not in (valid := names(stages.find(notebook).params)):
            raise unknown(key, valid, notebook)
        wanted[key] = value
    return wanted


def _has(run: SavedRun, wanted: dict[str, Any]) -> bool:
    return all(str(run.params.get(key)) == str(value) for key, value in wanted.items())


def _checked(run: SavedRun) -> SavedRun:
    if not manifest.sealed(run.manifest):  # its parameters may be wrong: they are not repeated
        advice = commands.make(run.notebook, {"scale": run.scale}, "--force")
        raise Refused(
            f"run {run.folder.name} of {run.notebook} is damaged, its manifest is not the one that it was completed "
            f"with: delete {paths.short(run.folder)}, then make it again with `{advice}` and what else you gave it"
        )
    if problem := verified.damage(run.folder, run.manifest["files"]):
        advice = commands.make(run.notebook, run.params, "--force")
        raise Refused(f"run {run.name} of {run.notebook} is damaged, {problem}: make it again with `{advice}`")
    return run
