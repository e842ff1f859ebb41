"""The models that come with the project: `digests.json` beside them holds the digests of their files."""

from pathlib import Path

from aligngemini.core import json_file, manifest, paths, reading, verified
from aligngemini.core.params import Refused

HOME, LIST = paths.ROOT / "data" / "mini", "digests.json"
DECIDING = (".safetensors", ".json", ".jinja")  # endings of files that decide what a model answers …
TELLING = (LIST, "card.json")  # … except for these, which no model reads


def check(folder: Path, what: str) -> None:
    """Raise Refused if files in `folder` that came with the project are others now; `what`: what they are."""
    prefix = _prefix(folder)
    files = {name.removeprefix(prefix): entry for name, entry in _listed().items() if name.startswith(prefix)}
    if problem := verified.damage(folder, files) if prefix and files else "":
        place = paths.short(folder)
        raise Refused(f"The {what} in {place} is damaged: {problem}; restore it with `git checkout -- {place}`.")


def record(folder: Path) -> Path:
    """Note the digests of the deciding files in `folder` if it lies among those of the project; return it."""
    if prefix := _prefix(folder):
        found = [path for path in folder.resolve().rglob("*") if path.suffix in DECIDING and path.name not in TELLING]
        names = [path.relative_to(HOME).as_posix() for path in found]
        others = {name: entry for name, entry in _listed().items() if not name.startswith(prefix)}
        listed = others | {name: manifest.entry(HOME, name) for name in names}
        json_file.write(HOME / LIST, dict(sorted(listed.items())))
    return folder


def _prefix(folder: Path) -> str:
    """What the names of its files begin with; "" for a folder from elsewhere."""
    folder = Path(folder).resolve()
    return folder.relative_to(HOME).as_posix() + "/" if folder.is_relative_to(HOME) else ""


def _listed() -> dict[str, dict]:
    """Names and entries; a project without the list has nothing to compare."""
    listed = reading.known(HOME / LIST).items()
    return {name: entry for name, entry in listed if isinstance(entry, dict) and {"sha256", "bytes"} <= set(entry)}
