"""Files of a repository on the hub, compared with the hub's own checksums.

The hub's client has begun an interrupted file anew since its version 1.18, and always over xet. So files come from
their plain addresses, and the client puts the names on what lies in its cache.
"""

import re
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from filelock import FileLock

from aligngemini.core import models, paths
from aligngemini.core.manifest import DiskFull, no_space
from aligngemini.core.params import Refused, said

from . import disk_space, record, web

CONNECTIONS = 8  # files at once: as many as the hub's client takes
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before a busy hub is asked again: ours
BUSY = re.compile(r"HTTP (429|5\d\d)")
DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")  # it becomes the name of a file


@dataclass(frozen=True)
class Repository:
    """A repository at one commit: sizes of its files in bytes, and digests (see `record.digest`)."""

    name: str
    kind: str  # "model" or "dataset"
    revision: str  # "" for the newest
    commit: str
    licence: str
    sizes: dict[str, int]
    digests: dict[str, str]

    @property
    def cache(self) -> Path:
        """The repository's folder in the hub's cache."""
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"{self.kind}s--{self.name.replace('/', '--')}"

    def blob(self, file: str) -> Path:
        """Where the bytes of a file lie in the cache."""
        return self.cache / "blobs" / self.digests[file]

    def intact(self, file: str) -> bool:
        """Whether the cache has a file as the hub has it; one that differs is removed."""
        from huggingface_hub import try_to_load_from_cache

        # Where there are no symbolic links, the bytes lie under the file's name.
        named = try_to_load_from_cache(self.name, file, repo_type=self.kind, revision=self.commit)
        path = Path(named).resolve() if isinstance(named, str) else self.blob(file)
        if not path.is_file() or record.digest(path, self.digests[file]) == self.digests[file]:
            return path.is_file()
        path.unlink()
        return False


def repository(name: str, kind: str = "model", revision: str = "") -> Repository:
    """Ask the hub what a repository holds. Raises Refused with the next step."""
    from huggingface_hub import HfApi

    options = {"repo_type": kind, "revision": revision or None, "files_metadata": True}
    info = answered(name, lambda: HfApi().repo_info(name, **options))
    files = {file.rfilename: file for file in info.siblings or []}
    licences = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    digests = {path: file.lfs.sha256 if file.lfs else file.blob_id for path, file in files.items()}
    if strange := [path for path, digest in digests.items() if not DIGEST.fullmatch(digest or "")]:
        raise Refused(f"{name} cannot be fetched: the hub gives no checksum of {strange[0]}; try another HF_ENDPOINT")
    sizes = {path: file.size or 0 for path, file in files.items()}
    return Repository(name, kind, revision, info.sha, ", ".join(licences) or "not said", sizes, digests)


def answered(name: str, call: Callable[[], Any]) -> Any:
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
                raise Refused(f"{name} cannot be fetched: {why}") from error
        time.sleep(pause)


def cached(source: Repository, names: list[str]) -> None:
    """Bring files into the hub's cache, also those that differ from the hub's; raises as `download` does."""
    small = [name for name in names if len(source.digests[name]) < 64]
    for part in (small, names):  # small ones first: by their names `check` tells an interrupted download from none
        lacking = {name: source.blob(name) for name in part if not source.intact(name)}
        download(source, lacking, source.cache, "HF_HOME")
        _name(source, part)


def download(source: Repository, places: dict[str, Path], home: Path, option: str) -> None:
    """Download files to their places below `home`, each whole and with the hub's checksum, or not at all.

    `option` chooses another home. Raises the first Refused, or OSError of the disk, once all have come or failed;
    DiskFull; and filelock's Timeout where another process fetches the same.
    """
    if not places:
        return
    paths.writable(home, option).mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".fetch.lock", timeout=0):
        jobs = _jobs(source, places)
        size, had = sum(source.sizes[name] for name in jobs), sum(job.had for job in jobs.values())
        disk_space.need(home, size - had, source.name, option)
        with closing(web.Transfer(source.name, size, had)) as transfer:
            _at_once(source.name, jobs.values(), transfer)


def _jobs(source: Repository, places: dict[str, Path]) -> dict[str, web.Download]:
    """The download of each file; in the cache, equal ones are one."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    client = web.session(CONNECTIONS)
    client.headers.update(build_hf_headers())  # requests shows the token in them to no other host
    files = {path: name for name, path in places.items()}
    options = {"repo_type": source.kind, "revision": source.commit}
    urls = {name: hf_hub_url(source.name, name, **options) for name in files.values()}
    return {name: web.Download(client, urls[name], at, digest=source.digests[name]) for at, name in files.items()}


def _at_once(name: str, jobs: Iterable[web.Download], transfer: web.Transfer) -> None:
    def run(job: web.Download) -> None:
        from huggingface_hub import get_hf_file_metadata

        get_hf_file_metadata(job.url)  # so that refusals are told in the errors of the hub's client
        job.moved = transfer.add
        job.run()

    with ThreadPool(CONNECTIONS) as pool:  # of daemons: whoever stops the command does not wait for gigabytes
        pool.map(lambda job: answered(name, partial(run, job)), jobs, 1)


def _name(source: Repository, names: list[str]) -> None:
    """Let the hub's client put the files' names on the bytes that lie in its cache."""
    from huggingface_hub import snapshot_download, utils

    utils.disable_progress_bars()
    options = {"repo_type": source.kind, "revision": source.revision or None, "allow_patterns": names}
    answered(source.name, lambda: snapshot_download(source.name, **options))
