"""What a run shall compute: a notebook with its parameters and inputs, and the name that follows from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aligngemini.core import devices, fingerprint, models, params, paths, reading, saved_runs, stages
from aligngemini.core.params import Params, Refused, Typed, shown
from aligngemini.core.saved_runs import SavedRun

ADVICE = {
    "folder": "give another with -p, or fetch what your scale names: `aligngemini data fetch --scale SCALE`",
    "benchmark": "give what you have, such as -p test '[GenImage:DIR]'; `aligngemini bench --help` lists names; "
    "held_out.csv comes with what the scale laptop or colab fetches",
    "file": "check the path",
    "scores": "check the path, a relative one starts at the project's folder",
}  # what to do where a source is not there


@dataclass(frozen=True)
class RunSpec:
    """A notebook with parameters and inputs; `block` stands in the manifest as `question`."""

    name: str
    notebook: str
    block: dict[str, Any]

    @property
    def home(self) -> Path:
        """The folder of the complete run."""
        return paths.outputs() / self.notebook / self.name

    @property
    def partial(self) -> Path:
        """The folder of the run while it is made."""
        return self.home.with_name(f".{self.name}.partial")

    @property
    def lock(self) -> Path:
        """The file that is locked by the process that makes the run."""
        return self.home.with_name(f".{self.name}.lock")


def make(notebook: str, cfg: Params) -> RunSpec:
    """Return the spec of the run of `notebook` with `cfg`; selectors are resolved to complete runs before it is named.

    Raises `Refused` if a run is missing, or if the runs do not stand on the same data.
    """
    inputs = {each.label: saved_runs.load(each.notebook, each.text, cfg.scale) for each in stages.selectors(cfg)}
    _check_same_data(list(inputs.values()))
    block = {
        "params": cfg.model_dump() | _resolved(cfg, inputs),
        "inputs": {label: _entry(run) for label, run in inputs.items()},
        "sources": {text: fingerprint.of_source(path) for text, path in sources(cfg).items()},
        **here(notebook, cfg),
    }
    return RunSpec(fingerprint.digest([notebook, block])[: fingerprint.LENGTH], notebook, block)


def _entry(run: SavedRun) -> dict[str, str]:
    """What stands in the manifest of a run that this one stands on."""
    files = fingerprint.of_answer(run.folder, run.manifest["files"])
    return {"notebook": run.notebook, "run": run.name, "files": files}


def here(notebook: str, cfg: Params) -> dict[str, Any]:
    """Return what decides results besides parameters and inputs: number formats, kinds of branches and code."""
    return {
        "numbers": _numbers(cfg),
        "branches": [[each.name, *each.kind._replace(colour="")] for each in branches(cfg)],
        "code": fingerprint.of_code(paths.notebook(notebook), modules(notebook, cfg)),
    }


def modules(notebook: str, cfg: Params) -> list[str]:
    """Return the modules that `notebook` loads by name: of the branches that `cfg` names."""
    return [each.kind.code.partition(":")[0] for each in branches(cfg)] if stages.find(notebook).loads else []


def branches(cfg: Params) -> list[Any]:
    """Return the branches that `cfg` names; see branches.branch_runs.Choice."""
    return [each for choices in stages.branches(cfg).values() for each in choices]


def _resolved(cfg: Params, inputs: dict[str, SavedRun]) -> dict[str, Any]:
    """Return the parameters that select runs, with the names of these `inputs` in them.

    Raises `Refused` if two of the branches that are joined are one run.
    """
    values: dict[str, Any] = {}
    first: dict[tuple[str, str, str], int] = {}
    for field, place, label, upstream, _ in stages.selectors(cfg):
        run = inputs[label].name
        if place is None:
            values[field] = run
            continue
        texts = getattr(cfg, field)
        earlier = first.setdefault((field, upstream, run), place)
        if earlier != place and params.rules(type(cfg))[field]["branches"] == "first":
            both = f"{shown(texts[earlier])} and {shown(texts[place])}"
            raise Refused(f"{field}: run {run} of {upstream} is named twice, by {both}: name it once")
        values.setdefault(field, list(texts))[place] = f"{texts[place].split()[0]} {run}"
    return values


def _numbers(cfg: Params) -> dict[str, str]:
    """What the number formats among the parameters mean on this machine: results differ by it."""
    formats = {name: rules["on_card"] for name, rules in params.rules(type(cfg)).items() if "on_card" in rules}
    return {name: devices.number(getattr(cfg, name), on_card) for name, on_card in formats.items()}


class Named(NamedTuple):
    """A text among parameters that names sources: its field, the kind of source and the parts, see `params.param`."""

    text: str
    field: str
    kind: str
    parts: Callable[[str], list[str]] | None = None

    def paths(self) -> dict[str, Path]:
        """Return part -> path; hub names have none. Raises `Refused` for what is not there."""
        parts = self.parts(self.text) if self.parts else [self.text]
        return {part: path for part in parts if (path := _source(part, self.field, self.kind))}


def sources(cfg: Typed) -> dict[str, Path]:
    """Return value -> path of the folders, models and files of scores that `cfg` names on this disk.

    Hub names and a field's words `besides` have none. Raises `Refused` for what is not there.
    """
    return {text: path for each in named(cfg) for text, path in each.paths().items()}


def named(cfg: Typed) -> Iterator[Named]:
    """Give what `cfg` names of sources, but for a field's words `besides`; whether it is there is not looked at."""
    for name, rules in params.rules(type(cfg)).items():
        value, kind, parts = getattr(cfg, name), rules.get("source", ""), rules.get("parts")
        given = (value if isinstance(value, list) else [value]) if kind else []
        yield from (Named(text, name, kind, parts) for text in given if text not in rules.get("besides", ()))
    for name, choices in stages.branches(cfg).items():
        yield from (Named(each.rest, name, "scores") for each in choices if each.kind.file)
        for each in choices:
            yield from named(each.options) if each.options else ()


def _source(text: str, name: str, kind: str) -> Path | None:
    """The path that a text names; None for a model of the hub."""
    path = paths.resolve(text)
    if kind == "model":
        models.where(text, name)
        if path.is_dir():
            models.check(path, name)
            models.check_weights(path, name)
        return path if path.is_dir() else None
    what = {"file": "file", "scores": "file", "benchmark": "folder or list"}.get(kind, "folder")
    if not {"file": path.is_file, "folder": path.is_dir}.get(what, path.exists)():
        raise Refused(f"{name}: there is no {what} {text}, looked for at {path}: {ADVICE[kind]}")
    if kind == "file":
        reading.mapping(path, text)
    return path


def _check_same_data(inputs: list[SavedRun]) -> None:
    """Raise `Refused` if the runs stand on different runs of notebook 01: they could not be compared."""
    stands = [(run, root) for run in inputs for root in sorted(_roots(run))]
    for run, root in stands:
        if root != stands[0][1]:
            raise Refused(
                f"run {stands[0][0].name} of {stands[0][0].notebook} stands on data run {stands[0][1]}, but run "
                f"{run.name} of {run.notebook} on {root}: choose runs made from the same data, "
                "`aligngemini runs` lists them"
            )


def _roots(run: SavedRun) -> set[str]:
    """Return the names of the runs of notebook 01 that a run stands on, directly or not."""
    if run.notebook == stages.DATA:
        return {run.name}
    entries = run.manifest["question"]["inputs"].values()
    above = {(entry["notebook"], entry["run"]) for entry in entries}
    direct = {name for notebook, name in above if notebook == stages.DATA}
    return direct or {root for notebook, name in above for root in _roots(saved_runs.named(notebook, name))}
