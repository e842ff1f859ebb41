"""Questions: selectors become complete runs, a notebook with its parameters becomes a named question."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aligngemini.workbook import fingerprint, manifest, models, paths, stages
from aligngemini.workbook.params import Params, Refused, unknown

SHORTEST = 4  # characters of a run name that are enough, if no other run begins with them
ADVICE = {
    "folder": "give another with -p, or fetch what the paper scale names with `aligngemini data fetch`",
    "benchmark": "give what you have, such as -p test '[GenImage:DIR]'; `aligngemini bench --help` lists names",
    "file": "check the path",
}  # what to do where a source is not there


@dataclass(frozen=True)
class Record:
    """A complete run as it lies on disk."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Twelve hex digits."""
        return self.manifest["run"]["name"]

    @property
    def notebook(self) -> str:
        """Name of the notebook that made it."""
        return self.manifest["run"]["notebook"]

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, selectors replaced by run names."""
        return self.manifest["question"]["params"]


@dataclass(frozen=True)
class Question:
    """A notebook with parameters and inputs, what a run answers; `block` stands in the manifest."""

    name: str
    notebook: str
    block: dict[str, Any]

    @property
    def home(self) -> Path:
        """The folder of a complete answer."""
        return paths.outputs() / self.notebook / self.name

    @property
    def partial(self) -> Path:
        """The folder of an answer in the making."""
        return self.home.with_name(f".{self.name}.partial")

    @property
    def lock(self) -> Path:
        """The file that whoever is answering holds locked."""
        return self.home.with_name(f".{self.name}.lock")


def complete(notebook: str) -> list[Record]:
    """Return the complete runs of `notebook` that can be read, the latest last."""
    folder = paths.outputs() / notebook
    homes = [p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."] if folder.is_dir() else []
    read = [(home, manifest.read(home)) for home in homes]
    found = [Record(home, record) for home, record in read if record and record["run"]["status"] == "complete"]
    return sorted(found, key=lambda record: record.manifest["run"]["finished"])


def pick(notebook: str, selector: str, scale: str | None = None) -> Record:
    """Return the complete run that `selector` means.

    "latest" is the latest of `scale` (of any scale if None), "latest key:value …" the latest whose
    parameters have these values; anything else is a run's name or its beginning. Raises `Refused` if there
    is none, or it is damaged.
    """
    wanted = _wanted(notebook, selector)
    if wanted is not None:
        return latest(notebook, wanted | ({} if scale is None else {"scale": scale}))
    return _whole(_named(notebook, selector))


def fitting(notebook: str, selector: str, names: list[str]) -> str:
    """Return the first of the runs `names` that a selector "latest ..." fits; where none does, or it names a run
    itself, the selector.
    """
    wanted = _wanted(notebook, selector)
    if wanted is None:
        return selector
    return next((name for name in names if not wanted or _has(_named(notebook, name), wanted)), selector)


def _wanted(notebook: str, selector: str) -> dict[str, str] | None:
    """The values that "latest key:value ..." asks for; None for the name of a run."""
    first, *rest = selector.split() or [""]
    return dict(_condition(notebook, word) for word in rest) if first == "latest" else None


def _has(record: Record, wanted: dict[str, Any]) -> bool:
    return all(str(record.params.get(key)) == str(value) for key, value in wanted.items())


def _whole(record: Record) -> Record:
    problem = manifest.damage(record.folder, record.manifest)
    if problem:
        raise Refused(
            f"run {record.name} of {record.notebook} is damaged, {problem}: "
            f"make it again with `{_make(record.notebook, record.params)} --force`"
        )
    return record


def _make(notebook: str, params: dict[str, Any]) -> str:
    scale = f" --scale {params['scale']}" if "scale" in params else ""
    return f"aligngemini run{scale} --only {notebook[:2]}"


def latest(notebook: str, wanted: dict[str, Any]) -> Record:
    """Return the latest complete run of `notebook` whose parameters have the values `wanted`, as text.

    Raises `Refused` if there is none, or it is damaged.
    """
    for record in reversed(complete(notebook)):
        if _has(record, wanted):
            return _whole(record)
    told = " with " + ", ".join(f"{key} {value}" for key, value in wanted.items()) if wanted else ""
    raise Refused(f"there is no complete run of {notebook}{told}: make one first with `{_make(notebook, wanted)}`")


def _condition(notebook: str, text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise Refused(f"a selector is 'latest', 'latest name:value' or a run's name, not 'latest {text}'")
    valid = [field.name for field in dataclasses.fields(stages.find(notebook).params)]
    if key not in valid:
        raise unknown(key, valid, notebook)
    return key, value


def _named(notebook: str, text: str) -> Record:
    folder = paths.outputs() / notebook
    names = [p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."] if folder.is_dir() else []
    fitting = [name for name in names if name == text or (len(text) >= SHORTEST and name.startswith(text))]
    if len(fitting) > 1:
        raise Refused(f"several runs of {notebook} begin with {text!r}: {', '.join(sorted(fitting))}; give more digits")
    if not fitting:
        raise Refused(f"{notebook} has no complete run {text!r}: `aligngemini runs` lists what there is")
    record = manifest.read(folder / fitting[0])
    if record is None:
        raise Refused(
            f"the manifest of run {fitting[0]} of {notebook} cannot be read: "
            f"delete {paths.short(folder / fitting[0])} and make the run again"
        )
    return Record(folder / fitting[0], record)


def question(notebook: str, cfg: Params, needs: dict[str, tuple[str, str]] | None = None) -> Question:
    """Return the question that `cfg` asks `notebook`, selectors resolved to complete runs before it is named.

    `needs`: label -> (upstream notebook, selector), by default those of the stage. Labels are free; runs that
    the parameters do not select are a ValueError. Raises `Refused` if a run is missing, or if the runs do not
    stand on the same data.
    """
    stage = stages.find(notebook)
    needs = stages.needs(cfg) if needs is None else needs
    if set(needs.values()) != set(stages.needs(cfg).values()):
        raise ValueError(f"{notebook} needs exactly the runs its parameters select, {stages.needs(cfg)}, got {needs}")
    inputs = {label: pick(upstream, selector, cfg.scale) for label, (upstream, selector) in needs.items()}
    same_data(inputs)
    chosen = {need: inputs[label].name for label, need in needs.items()}
    block = {
        "params": dataclasses.asdict(cfg) | _resolved(cfg, chosen),
        "inputs": {label: _input(record) for label, record in inputs.items()},
        "sources": {text: fingerprint.of_source(path) for text, path in there(cfg).items()},
        "code": fingerprint.of_code(paths.notebook(notebook), stage.rooms),
    }
    return Question(_name(notebook, block), notebook, block)


def _name(notebook: str, block: dict[str, Any]) -> str:
    """Labels are names of ours for the inputs, so they are left out: they do not change the answer."""
    distinct = sorted({json.dumps(entry, sort_keys=True) for entry in block["inputs"].values()})
    return fingerprint.digest([notebook, block | {"inputs": distinct}])[: fingerprint.LENGTH]


def _resolved(cfg: Params, chosen: dict[tuple[str, str], str]) -> dict[str, Any]:
    fields = stages.selectors(cfg).items()
    return {
        name: [chosen[upstream, item] for item in value] if isinstance(value, list) else chosen[upstream, value]
        for name, (upstream, value) in fields
    }


def _input(record: Record) -> dict[str, str]:
    files = fingerprint.digest(record.manifest["files"])
    return {"notebook": record.notebook, "run": record.name, "files": files}


def there(cfg: Params) -> dict[str, Path]:
    """Return value -> path of the folders and models that `cfg` names on this disk.

    Hub names, the word "world" and a field's words `besides` have none. Raises `Refused` for what is not there.
    """
    found = {}
    for field in dataclasses.fields(cfg):
        value, kind = getattr(cfg, field.name), field.metadata.get("source")
        texts = (value if isinstance(value, list) else [value]) if kind else []
        for text in texts if kind != "benchmark" else _parts(texts):
            path = paths.resolve(text)
            if text in field.metadata.get("besides", ()):
                continue
            if path.exists() and text != stages.WORLD:
                found[text] = path
            elif kind == "model":
                models.where(text, field.name)
            elif text != stages.WORLD:
                what = "file" if kind == "file" else "folder"
                raise Refused(f"{field.name}: there is no {what} {text}, looked for at {path}: {ADVICE[kind]}")
    return found


def _parts(texts: list[str]) -> list[str]:
    """The folders and files that benchmarks consist of; those of a named one have been looked for."""
    from aligngemini.images.places import benchmarks

    return [part for text in texts for part in benchmarks.parts(text)]


def same_data(inputs: dict[str, Record]) -> None:
    """Raise `Refused` if the runs stand on different runs of notebook 01: they could not be compared."""
    stands = {record.name: (record, root) for record in inputs.values() for root in _roots(record)}
    first = next(iter(stands.values()), None)
    for record, root in stands.values():
        if root != first[1]:
            raise Refused(
                f"run {first[0].name} of {first[0].notebook} stands on data run {first[1]}, but run "
                f"{record.name} of {record.notebook} on {root}: choose runs made from the same data, "
                "`aligngemini runs` lists them"
            )


def _roots(record: Record) -> set[str]:
    """Return the names of the runs of notebook 01 that a run stands on, directly or not."""
    if record.notebook == stages.DATA:
        return {record.name}
    entries = record.manifest["question"]["inputs"].values()
    above = {(entry["notebook"], entry["run"]) for entry in entries}
    direct = {run for notebook, run in above if notebook == stages.DATA}
    return direct or {root for notebook, run in above for root in _roots(_named(notebook, run))}
