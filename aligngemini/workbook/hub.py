"""Adapters on the hub: asked for early, uploaded after training; whatever goes wrong there costs no run."""

from pathlib import Path

from aligngemini.workbook.params import Refused


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
    own affair. Nothing is raised for what the hub or the network refuses.
    """
    if not repository:
        return "push_to_hub is empty: the adapter stays here."
    from huggingface_hub import create_repo, upload_folder

    repository = f"{repository}-{which}"
    try:
        create_repo(repository, private=True, exist_ok=True)
        done = upload_folder(repo_id=repository, folder_path=folder, ignore_patterns="*.parquet")
    except Exception as error:  # the client's own errors depend on the HTTP library below it
        why = next(iter(str(error).splitlines()), type(error).__name__)
        return f"The adapter could not be uploaded ({why}); later: `hf upload {repository} {folder}`."
    return f"The adapter is on the hub: {done}"
