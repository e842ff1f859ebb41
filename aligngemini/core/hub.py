"""Adapters on the hub: the login is checked before training; a failed upload afterwards costs no run."""

import json
import shutil
from pathlib import Path

from aligngemini.core import adapters, paths, reading, redaction
from aligngemini.core.params import Refused, said


def check(repository: str) -> None:
    """Raise Refused if an adapter is to go to `repository` ("" for nowhere) and nobody is logged in."""
    from huggingface_hub import get_token

    if repository and not get_token():
        raise Refused(f"push_to_hub {repository} needs a login with the right to write: run `hf auth login` first.")


def push(folder: Path, repository: str, which: str) -> str:
    """Upload the adapter in `folder` to `repository`-`which` and say in one sentence what came of it; nothing is
    uploaded for no repository.

    `which` says branch and supervision: one command trains several adapters, and none may take another's place. A
    repository that is not there yet is made private (ours): its owner may open it. No path of this machine is
    uploaded, see `public`. Nothing is raised for what the hub or the network refuses.
    """
    if not repository:
        return "push_to_hub is empty: the adapter stays here."
    from huggingface_hub import create_repo, upload_folder

    repository = f"{repository}-{which}"
    source = public(folder)
    try:
        create_repo(repository, private=True, exist_ok=True)
        done = upload_folder(repo_id=repository, folder_path=source, allow_patterns=adapters.FILES)
    except Exception as error:  # the client's own errors depend on the HTTP library below it
        return f"The adapter could not be uploaded ({said(error)}); later: `hf upload {repository} {source}`."
    if source != folder:
        shutil.rmtree(source)
    return f"The adapter is on the hub: {done}"


def public(folder: Path) -> Path:
    """The adapter in `folder`, or a copy beside it where its files name paths of this machine.

    In the copy a path of the project stands as seen from the project, another one as ./ and its last name: a reader who
    puts such a base there can load the adapter.
    """
    names: dict[str, str] = {}
    for path in folder.glob("*.json"):
        redaction.mapped(reading.json(path), lambda text: names.setdefault(text, _public(text)))
    local = {text: other for text, other in names.items() if other != text}
    if not local:
        return folder
    copy = folder.with_name(f"{folder.name}-public")
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.parquet"), dirs_exist_ok=True)
    for path in [*copy.glob("*.json"), copy / adapters.CARD]:
        text = path.read_text(encoding="utf-8")
        for old in sorted(local, key=len, reverse=True):  # none is replaced within another
            for spelling in (json.dumps(old)[1:-1], json.dumps(old, ensure_ascii=False)[1:-1], old):
                text = text.replace(spelling, local[old])
        path.write_text(text, encoding="utf-8")
    return copy


def _public(text: str) -> str:
    """A text, without the folders of this machine if it is a path there."""
    if not (text.startswith(("~/", "../")) or Path(text).is_absolute()):
        return text
    path = paths.resolve(text)
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else f"./{path.name}"
