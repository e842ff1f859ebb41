"""Questions: a notebook with its parameters, its selectors resolved, and the name that follows from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aligngemini.core import fingerprint, models, params, paths, reading, records, stages
from aligngemini.core.params import Params, Refused, shown
from aligngemini.core.records import Record

ADVICE = {
    "folder": "give another with -p, or fetch what the paper scale names with `aligngemini data fetch`",
    "benchmark": "give what you have, such as -p test '[GenImage:DIR]'; `aligngemini bench --help` lists names",
    "file": "check the path",
    "scores": "check the path, a relative one starts at the project's folder",
}  # what to do where a source is not there


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


def question(notebook: str, cfg: Params, needs: dict[str, tuple[str, str]] | None = None) -> Question:
    """Return the question that `cfg` asks `notebook`, selectors resolved to complete runs before it is named.

    `needs`: label -> (upstream notebook, selector), by default those of the stage. Labels are free; runs that
    the parameters do not select are a ValueError. Raises `Refused` if a run is missing, or if the runs do not
    stand on the same data.
    """
    needs = stages.needs(cfg) if needs is None else needs
    if set(needs.values()) != set(stages.needs(cfg).values()):
        raise ValueError(f"{notebook} needs exactly the runs its parameters select, {stages.needs(cfg)}, got {needs}")
    inputs = {label: records.pick(upstream, selector, cfg.scale) for label, (upstream, selector) in needs.items()}
    same_data(inputs)
    chosen = {need: inputs[label].name for label, need in needs.items()}
    _once(cfg, chosen)
    block = {
        "params": cfg.model_dump() | _resolved(cfg, chosen),
        "inputs": {label: _input(record) for label, record in inputs.items()},
        "numbers": _numbers(cfg),
        "sources": {text: fingerprint.of_source(path) for text, path in there(cfg).items()},
        "branches": [[each.name, *each.kind._replace(colour="")] for each in branches(cfg)],
        "code": fingerprint.of_code(paths.notebook(notebook), modules(notebook, cfg)),
    }
    return Question(_name(notebook, block), notebook, block)


def modules(notebook: str, cfg: Params) -> list[str]:
    """Return the modules that `notebook` loads by name: of the branches that `cfg` names."""
    return [each.kind.code.partition(":")[0] for each in branches(cfg)] if stages.find(notebook).loads else []


def branches(cfg: Params) -> list[Any]:
    """Return the branches that `cfg` names; see branches.branch_runs.Choice."""
    return [each for choices in stages.branches(cfg).values() for each in choices]


def _name(notebook: str, block: dict[str, Any]) -> str:
    """Labels are names of ours for the inputs, so they are left out: they do not change the answer."""
    distinct = sorted({json.dumps(entry, sort_keys=True) for entry in block["inputs"].values()})
    return fingerprint.digest([notebook, block | {"inputs": distinct}])[: fingerprint.LENGTH]


def _once(cfg: Params, chosen: dict[tuple[str, str], str]) -> None:
    """Raise `Refused` if two of the branches that `cfg` joins are one run."""
    joined = [name for name, rules in params.rules(type(cfg)).items() if rules.get("branches") == "first"]
    first: dict[tuple[str, str], str] = {}
    for field, place, _, upstream, text in stages.selectors(cfg):
        run = chosen[upstream, text]
        if field in joined and (upstream, run) in first:
            both = " and ".join(map(shown, (first[upstream, run], getattr(cfg, field)[place])))
            raise Refused(f"{field}: run {run} of {upstream} is named twice, by {both}: name it once")
        first[upstream, run] = "" if place is None else getattr(cfg, field)[place]


def _resolved(cfg: Params, chosen: dict[tuple[str, str], str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, place, _, upstream, text in stages.selectors(cfg):
        run = chosen[upstream, text]
        if place is None:
            found[field] = run
        else:
            texts = found.setdefault(field, list(getattr(cfg, field)))
            texts[place] = f"{texts[place].split()[0]} {run}"
    return found


def _numbers(cfg: Params) -> dict[str, str]:
    """What the number formats among the parameters mean on this machine: results differ by it."""
    formats = {name: rules["on_card"] for name, rules in params.rules(type(cfg)).items() if "on_card" in rules}
    return {name: models.number(getattr(cfg, name), on_card) for name, on_card in formats.items()}


def _input(record: Record) -> dict[str, str]:
    files = fingerprint.of_answer(record.folder, record.manifest["files"])
    return {"notebook": record.notebook, "run": record.name, "files": files}


def there(cfg: Params) -> dict[str, Path]:
    """Return value -> path of the folders, models and files of scores that `cfg` names on this disk.

    Hub names and a field's words `besides` have none. Raises `Refused` for what is not there.
    """
    found = {}
    for name, rules in params.rules(type(cfg)).items():
        value, kind = getattr(cfg, name), rules.get("source")
        _check_texts(name, value)
        given = (value if isinstance(value, list) else [value]) if kind else []
        parts = rules.get("parts", lambda text: [text])
        for text in [part for each in given for part in parts(each)]:
            if text in rules.get("besides", ()):
                continue
            path = _model(text, name) if kind == "model" else _there(text, name, kind)
            found |= {text: path} if path else {}
    for name, choices in stages.branches(cfg).items():
        found |= {each.rest: _there(each.rest, name, "scores") for each in choices if each.kind.file}
    return found


def _check_texts(name: str, value: Any) -> None:
    """Refuse what neither a notebook nor a manifest can hold: a name on the disk may have bytes that are no UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{name} must be text that UTF-8 can hold, got {shown(value)}: rename the folder") from error


def _model(text: str, name: str) -> Path | None:
    """The folder of a model, its files looked at; None for one on the hub."""
    models.where(text, name)
    folder = paths.resolve(text)
    if not folder.is_dir():
        return None
    models.check(folder, name)
    return folder


def _there(text: str, name: str, kind: str) -> Path:
    path = paths.resolve(text)
    if {"file": path.is_file, "scores": path.is_file, "folder": path.is_dir, "benchmark": path.exists}[kind]():
        if kind == "file":
            reading.mapping(path, text)
        return path
    what = "file" if kind in ("file", "scores") else "folder"
    raise Refused(f"{name}: there is no {what} {text}, looked for at {path}: {ADVICE[kind]}")


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
    return direct or {root for notebook, run in above for root in _roots(records.named(notebook, run))}
