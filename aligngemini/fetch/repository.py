"""What a repository on the hub holds, and questions to the hub that are put again while it is busy."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..workbook import models
from ..workbook.manifest import DiskFull, no_space
from ..workbook.params import Refused, said

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before a busy hub is asked again: ours
BUSY = re.compile(r"HTTP (429|5\d\d)")


@dataclass(frozen=True)
class Repository:
    """A repository at one moment: its files with sizes in bytes and digests (SHA-256, or git's SHA-1 of small ones)."""

    repo: str
    kind: str  # "model" or "dataset"
    revision: str  # "" for the newest
    commit: str  # what the revision was at that moment
    licence: str
    sizes: dict[str, int]
    digests: dict[str, str]

    @property
    def cache(self) -> Path:
        """The repository's folder in the hub's cache."""
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"{self.kind}s--{self.repo.replace('/', '--')}"

    def large(self, name: str) -> bool:
        """Whether the hub knows a file by SHA-256, as it does large ones; never one whose name leads elsewhere."""
        path = PurePosixPath(name)
        astray = path.is_absolute() or ".." in path.parts
        return not astray and bool(re.fullmatch("[0-9a-f]{64}", self.digests[name]))

    def place(self, name: str, folder: Path | None) -> Path:
        """Where a file's bytes lie: below `folder`, or in the cache, where the hub's client names them by digest."""
        return folder / name if folder else self.cache / "blobs" / self.digests[name]

    def there(self, name: str, folder: Path | None) -> bool:
        """Whether a file need not be fetched; what it holds is not looked at."""
        from huggingface_hub import try_to_load_from_cache

        if folder or self.place(name, folder).is_file():
            return self.place(name, folder).is_file()
        # Where there are no symbolic links, the bytes lie under the file's name.
        return isinstance(try_to_load_from_cache(self.repo, name, repo_type=self.kind, revision=self.commit), str)


def of(repo: str, kind: str = "model", revision: str = "") -> Repository:
    """Ask the hub what `repo` holds. Raises Refused with the next step."""
    from huggingface_hub import HfApi

    options = {"repo_type": kind, "revision": revision or None, "files_metadata": True}
    found = answered(repo, lambda: HfApi().repo_info(repo, **options))
    files = {file.rfilename: file for file in found.siblings or []}
    said = [tag.removeprefix("license:") for tag in found.tags or [] if tag.startswith("license:")]
    digests = {name: file.lfs.sha256 if file.lfs else file.blob_id for name, file in files.items()}
    sizes = {name: file.size or 0 for name, file in files.items()}
    return Repository(repo, kind, revision, found.sha, ", ".join(said) or "not said", sizes, digests)


def answered(repo: str, call: Callable[[], Any]) -> Any:
    """Call something that asks the hub; again while the hub is busy. Raises Refused, and OSError of the disk."""
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:  # the client's, the network's and the storage's errors of many kinds
            if no_space(error) or isinstance(error, DiskFull):
                raise
            why = models.hub_problem(error)
            if pause is None or not BUSY.search(why):
                why = why or f"{said(error).rstrip('.')}; run the same command again, what came is kept"
                raise Refused(f"{repo} cannot be fetched: {why}") from error
        time.sleep(pause)
