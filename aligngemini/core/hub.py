"""Adapters on the hub: asked for early, uploaded after training; whatever goes wrong there costs no run."""

import shutil
from pathlib import Path
from typing import Any

from aligngemini.core import adapters, json_file, paths, reading, redaction
from aligngemini.core.params import Refused, said


def check(repository: str) -> None:
    """Raise Refused if an adapter is to go to `repository` ("" for nowhere) and nobody is logged in: before training,
    not after it.
    """
    from huggingface_hub import get_token

    if repository and not get_token():
        raise Refused(f"push_to_hub {repository} needs a login with the right to write: run `hf auth login` first.")


def push(folder: Path, repository: str, which: str) -> str:
    """Upload the adapter in `folder` to `repository`-`which` and say in one sentence what came of it; nothing is
    uploaded for no repository.

    `which` says branch and supervision: one command trains several adapters, and none may take another's place. A
    repository that is not there yet is made private (ours): its owner may open it. The token is huggingface_hub's
    own affair. No path of this machine is uploaded, see `public`. Nothing is raised for what the hub or the network
    refuses.
    """
    if not repository:
        return "push_to_hub is empty: the adapter stays here."
    from huggingface_hub import create_repo, upload_folder

    repository, shown = f"{repository}-{which}", folder
    try:
        shown = public(folder)
        create_repo(repository, private=True, exist_ok=True)
        done = upload_folder(repo_id=repository, folder_path=shown, allow_patterns=adapters.FILES)
        if shown != folder:
            shutil.rmtree(shown)
    except Exception as error:  # the client's own errors depend on the HTTP library below it
        return f"The adapter could not be uploaded ({said(error)}); later: `hf upload {repository} {shown}`."
    return f"The adapter is on the hub: {done}"


def public(folder: Path) -> Path:
    """The adapter in `folder`, or a copy beside it where its files name paths of this machine.

    In the copy a path of the project stands as seen from the project, another one as ./ and its last name: a reader who
    puts such a base there can load the adapter.
    """
    names: dict[str, str] = {}

    def shown(text: str) -> str:
        if _local(text):
            names[text] = _public(text)
        return names.get(text, text)

    told = {path.name: redaction.mapped(reading.json(path), shown) for path in folder.glob("*.json")}
    return _renamed(told, names, folder) if names else folder


def _renamed(told: dict[str, Any], names: dict[str, str], folder: Path) -> Path:
    """A copy of the adapter beside `folder`, with the JSON files `told` and with other `names` in its card."""
    copy = folder.with_name(f"{folder.name}-public")
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.parquet"), dirs_exist_ok=True)
    for name, value in told.items():
        json_file.write(copy / name, value)
    card = (folder / adapters.CARD).read_text(encoding="utf-8")
    for text in sorted(names, key=len, reverse=True):  # none is replaced within another
        card = card.replace(text, names[text])
    (copy / adapters.CARD).write_text(card, encoding="utf-8")
    return copy


def _local(text: str) -> bool:
    return text.startswith(("~/", "../")) or Path(text).is_absolute()


def _public(text: str) -> str:
    path = paths.resolve(text)
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else f"./{path.name}"
