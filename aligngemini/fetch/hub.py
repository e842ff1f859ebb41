"""Files of a repository on the hub, compared with the hub's own checksums.

The hub's client begins an interrupted file anew, and a shard has gigabytes. So files come from their plain addresses,
and the client puts the names on what lies in its cache.
"""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
from filelock import FileLock
from huggingface_hub import constants, utils

from aligngemini.core import models, paths
from aligngemini.core.manifest import DiskFull, no_space
from aligngemini.core.params import Refused, said

from . import record, web

CONNECTIONS = 8  # files at once: as many as the hub's client takes


class Repository(NamedTuple):
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
        return Path(constants.HF_HUB_CACHE) / f"{self.kind}s--{self.name.replace('/', '--')}"

    def lacking(self, names: list[str]) -> dict[str, Path]:
        """Files that the cache has not as the hub has them, and where their bytes belong; what differs is removed."""
        lacking = {}
        for name in names:
            blob = self.cache / "blobs" / self.digests[name]
            # Where there are no symbolic links, the bytes lie under the file's name.
            there = huggingface_hub.try_to_load_from_cache(self.name, name, repo_type=self.kind, revision=self.commit)
            path = Path(there).resolve() if isinstance(there, str) else blob
            if not path.is_file():
                lacking[name] = blob
            elif record.digest(path, self.digests[name]) != self.digests[name]:
                path.unlink()
                lacking[name] = blob
        return lacking


def repository(name: str, kind: str = "model", revision: str = "") -> Repository:
    """Ask the hub what a repository holds. Raises Refused with the next step."""
    options = {"repo_type": kind, "revision": revision or None, "files_metadata": True}
    info = answered(name, lambda: huggingface_hub.HfApi().repo_info(name, **options))
    files = {file.rfilename: file for file in info.siblings or []}
    licences = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    digests = {path: file.lfs.sha256 if file.lfs else file.blob_id for path, file in files.items()}
    if strange := [path for path, digest in digests.items() if not record.DIGEST.fullmatch(digest or "")]:
        raise Refused(f"{name} cannot be fetched: the hub gives no checksum of {strange[0]}; try another HF_ENDPOINT")
    sizes = {path: file.size or 0 for path, file in files.items()}
    return Repository(name, kind, revision, info.sha, ", ".join(licences) or "not said", sizes, digests)


def answered(name: str, call: Callable[[], Any]) -> Any:
    """Call something that asks the hub; again while the hub is busy. Raises Refused, and OSError of the disk."""
    try:
        return web.patiently(call, _problem)
    except web.DownloadFailed as error:
        raise Refused(f"{name} cannot be fetched: {error}") from error


def _problem(error: Exception) -> str:
    if no_space(error) or isinstance(error, DiskFull):
        return ""
    known = str(error) if isinstance(error, web.DownloadFailed) else models.hub_problem(error)
    return known or f"{said(error).rstrip('.')}; run the same command again, what came is kept"


def cached(source: Repository, names: list[str]) -> None:
    """Bring files into the hub's cache, also those that differ from the hub's; raises as `download` does."""
    utils.disable_progress_bars()
    small = [name for name in names if len(source.digests[name]) < 64]
    for part in (small, names):  # small ones first: by their names `check` tells an interrupted download from none
        download(source, source.lacking(part), source.cache, "HF_HOME")
        options = {"repo_type": source.kind, "revision": source.revision or None, "allow_patterns": part}
        answered(source.name, partial(huggingface_hub.snapshot_download, source.name, **options))


def download(source: Repository, places: dict[str, Path], home: Path, option: str) -> None:
    """Download files to their places below `home`, each whole and with the hub's checksum, or not at all.

    `option` chooses another home. Raises the first Refused, or OSError of the disk, once all have come or failed;
    DiskFull; and filelock's Timeout where another process fetches the same.
    """
    if not places:
        return
    paths.writable(home, option).mkdir(parents=True, exist_ok=True)
    names = {path: name for name, path in places.items()}  # in the cache, equal files are one
    with FileLock(home / ".fetch.lock", timeout=0):
        size = sum(source.sizes[name] for name in names.values())
        had = sum(web.begun(path, source.digests[name]) for path, name in names.items())
        web.need(home, size - had, source.name, option)
        with closing(web.Transfer(source.name, size, had)) as meter, ThreadPool(CONNECTIONS) as pool:
            run = partial(_one, source, meter)
            pool.map(lambda item: answered(source.name, lambda: run(*item)), names.items(), 1)


def allowed(source: Repository, name: str) -> None:
    """Ask the hub for a file without its content; raises Refused where a licence or a login is missing, which the
    repository itself does not tell.
    """
    answered(source.name, partial(_address, source, name))


def _address(source: Repository, name: str) -> str:
    url = huggingface_hub.hf_hub_url(source.name, name, repo_type=source.kind, revision=source.commit)
    huggingface_hub.get_hf_file_metadata(url)  # so that refusals come as the errors of the hub's client
    return url


def _one(source: Repository, meter: web.Transfer, path: Path, name: str) -> None:
    headers = utils.build_hf_headers() | web.PLAIN  # the client shows the token in them to no other host
    web.download(_address(source, name), path, source.sizes[name], source.digests[name], meter, headers)
