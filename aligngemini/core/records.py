"""Records: the complete runs on disk, and which of them a selector means."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aligngemini.core import commands, manifest, paths, stages, verified
from aligngemini.core.params import Refused, names, shown, unknown
from aligngemini.core.progress import say

SHORTEST = 4  # characters of a run name that are enough, if no other run begins with them


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


def complete(notebook: str) -> list[Record]:
    """Return the complete runs of `notebook` that can be read, the latest last."""
    read = [(home, manifest.read(home)) for home in _homes(notebook)]
    found = [Record(home, record) for home, record in read if record and record["run"]["status"] == "complete"]
    return sorted(found, key=lambda record: record.manifest["run"]["finished"])


def unreadable(notebook: str) -> list[Path]:
    """Return the folders of the runs of `notebook` whose manifests cannot be read."""
    return [home for home in sorted(_homes(notebook)) if manifest.read(home) is None]


def pick(notebook: str, selector: str, scale: str | None = None) -> Record:
    """Return the complete run that `selector` means.

    "latest" is the latest of `scale` (of any scale if None), "latest key:value …" the latest whose
    parameters have these values; anything else is a run's name or its beginning. Raises `Refused` if there
    is none, or it is damaged.
    """
    wanted = _wanted(notebook, selector)
    if wanted is not None:
        return latest(notebook, wanted | ({} if scale is None else {"scale": scale}))
    return _whole(named(notebook, selector))


def latest(notebook: str, wanted: dict[str, Any]) -> Record:
    """Return the latest complete run of `notebook` whose parameters have the values `wanted`, as text.

    A line says which runs were passed over because they cannot be read. Raises `Refused` if there is none, or it is
    damaged.
    """
    lost = unreadable(notebook)
    for record in reversed(complete(notebook)):
        if _has(record, wanted):
            _pass_over(*lost)
            return _whole(record)
    told = " with " + ", ".join(f"{key} {value}" for key, value in wanted.items()) if wanted else ""
    advice = commands.make(notebook, wanted)
    if lost:
        raise Refused(
            f"there is no complete run of {notebook}{told}, and {_unreadable(lost)}: delete it, then `{advice}`"
        )
    raise Refused(f"there is no complete run of {notebook}{told}: make one first with `{advice}`")


def named(notebook: str, text: str) -> Record:
    """Return the run of `notebook` whose name is `text` or begins with it; raises `Refused` if none, or several."""
    homes = {home.name: home for home in _homes(notebook)}
    fitting = [name for name in homes if name == text or (len(text) >= SHORTEST and name.startswith(text))]
    if len(fitting) > 1:
        raise Refused(
            f"several runs of {notebook} begin with {shown(text)}: {', '.join(sorted(fitting))}; give more digits"
        )
    if not fitting:
        raise Refused(f"{notebook} has no complete run {shown(text)}: `aligngemini runs` lists what there is")
    home = homes[fitting[0]]
    record = manifest.read(home)
    if record is None:
        raise Refused(
            f"the manifest of run {home.name} of {notebook} cannot be read: "
            f"delete {paths.short(home)} and make the run again"
        )
    return Record(home, record)


def fitting(notebook: str, selector: str, names: list[str]) -> str:
    """Return the first of the runs `names` that a selector "latest ..." fits; where none does, or it names a run
    itself, the selector.
    """
    wanted = _wanted(notebook, selector)
    if wanted is None:
        return selector
    return next((name for name in names if not wanted or _has(named(notebook, name), wanted)), selector)


def _homes(notebook: str) -> list[Path]:
    """The folders of answers, none in the making."""
    folder = paths.outputs() / notebook
    return [p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."] if folder.is_dir() else []


@cache
def _pass_over(*lost: Path) -> None:
    """Say once which runs do not count."""
    if lost:
        say(f"passed over: {_unreadable(lost)}")


def _unreadable(lost: Sequence[Path]) -> str:
    return f"the manifest of {', '.join(map(paths.short, lost))} cannot be read"


def _wanted(notebook: str, selector: str) -> dict[str, str] | None:
    """The values that "latest key:value ..." asks for; None for the name of a run."""
    first, *rest = selector.split() or [""]
    return dict(_condition(notebook, word) for word in rest) if first == "latest" else None


def _condition(notebook: str, text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise Refused(f"a selector is 'latest', 'latest name:value' or a run's name, not 'latest {text}'")
    valid = names(stages.find(notebook).params)
    if key not in valid:
        raise unknown(key, valid, notebook)
    return key, value


def _has(record: Record, wanted: dict[str, Any]) -> bool:
    return all(str(record.params.get(key)) == str(value) for key, value in wanted.items())


def _whole(record: Record) -> Record:
    if not manifest.sealed(record.manifest):  # its parameters may be wrong: they are not repeated
        advice = commands.make(record.notebook, {"scale": record.params["scale"]}, "--force")
        edited = "is damaged, its manifest is not the one that it was completed with"
        older = "comes from an earlier version of the workbook, whose manifests cannot be checked"
        raise Refused(
            f"run {record.folder.name} of {record.notebook} {edited if 'digest' in record.manifest else older}: delete "
            f"{paths.short(record.folder)}, then make it again with `{advice}` and what else you gave it"
        )
    if problem := verified.damage(record.folder, record.manifest):
        raise Refused(
            f"run {record.name} of {record.notebook} is damaged, {problem}: "
            f"make it again with `{commands.make(record.notebook, record.params, '--force')}`"
        )
    return record
