"""Files of a repository on the hub: by the hub's own client, checked against the hub's own checksums."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..workbook import fingerprint, models
from ..workbook.manifest import DiskFull, no_space
from ..workbook.params import Refused
from ..workbook.progress import Meter
from . import room

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before a busy hub is asked again: ours
BUSY = re.compile(r"HTTP (429|5\d\d)")
MB = 10**6


@dataclass(frozen=True)
class Listing:
    """A repository at one moment: its files with sizes in bytes and digests (SHA-256, or git's SHA-1 of small ones)."""

    repo: str
    kind: str  # "model" or "dataset"
    revision: str
    licence: str
    sizes: dict[str, int]
    digests: dict[str, str]


def listing(repo: str, kind: str = "model", revision: str = "") -> Listing:
    """Ask the hub what `repo` holds. Raises Refused with the next step."""
    from huggingface_hub import HfApi

    options = {"repo_type": kind, "revision": revision or None, "files_metadata": True}
    found = _asked(repo, lambda: HfApi().repo_info(repo, **options))
    files = {file.rfilename: file for file in found.siblings or []}
    said = [tag.removeprefix("license:") for tag in found.tags or [] if tag.startswith("license:")]
    digests = {name: file.lfs.sha256 if file.lfs else file.blob_id for name, file in files.items()}
    sizes = {name: file.size or 0 for name, file in files.items()}
    return Listing(repo, kind, revision, ", ".join(said) or "not said", sizes, digests)


def fetch(found: Listing, names: list[str], folder: Path | None = None, watched: list[Path] | None = None) -> Path:
    """Fetch files into the hub's cache, or below `folder` under their own names; where they lie.

    What is there is not fetched again; files are checked, one that differs is removed. `watched` are the folders
    that grow meanwhile. Raises Refused, DiskFull.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    cache = Path(constants.HF_HUB_CACHE) / f"{found.kind}s--{found.repo.replace('/', '--')}"
    missing = sum(found.sizes[name] for name in names if not _there(found, name, folder))
    room.need(folder or cache, missing, found.repo, "--root" if folder else "HF_HOME")
    disable_progress_bars()
    with _shown(watched or [cache / "blobs"], found.repo, missing):
        place = _asked(found.repo, lambda: snapshot_download(
            found.repo, repo_type=found.kind, revision=found.revision or None, allow_patterns=names, local_dir=folder
        ))  # fmt: skip
    _compare(found, names, Path(place))
    return Path(place)


def digest(path: Path, like: str) -> str:
    """The digest of a file as the hub gives it: SHA-256 if `like` is one, else git's SHA-1 of a blob."""
    if len(like) == 64:
        return fingerprint.of_file(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _there(found: Listing, name: str, folder: Path | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    if folder:
        return (folder / name).is_file()
    options = {"revision": found.revision} if found.revision else {}
    return isinstance(try_to_load_from_cache(found.repo, name, repo_type=found.kind, **options), str)


def _asked(repo: str, call: Callable[[], Any]) -> Any:
    """Call the hub's client; again while the hub is busy. Raises Refused, and OSError of the disk."""
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:  # the client's, the network's and the storage's errors of many kinds
            if no_space(error) or isinstance(error, DiskFull):
                raise
            why = models.hub_problem(error)
            if pause is None or not BUSY.search(why):
                raise Refused(f"{repo} cannot be fetched: {why or _short(error)}") from error
        time.sleep(pause)


def _short(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return f"{first.rstrip('.')}; run the same command again, what came whole is kept"


def _compare(found: Listing, names: list[str], place: Path) -> None:
    missing = [name for name in names if not (place / name).is_file()]
    if missing:
        raise Refused(f"{found.repo}: {len(missing)} of {len(names)} files did not come: run the same command again")
    wrong = [name for name in names if digest(place / name, found.digests[name]) != found.digests[name]]
    for name in wrong:
        (place / name).resolve().unlink()
        (place / name).unlink(missing_ok=True)
    if wrong:
        raise Refused(
            f"{found.repo}: {', '.join(wrong)} came with another checksum than the hub's and is removed: "
            "run the same command again"
        )


@contextmanager
def _shown(folders: list[Path], label: str, total: int) -> Iterator[None]:
    """Show how `folders` grow: every version of the client has progress bars of another form."""
    before, over, meter = _bytes(folders), threading.Event(), Meter(f"{label}, MB", total // MB or None)

    def watch() -> None:
        while not over.wait(1):
            meter.update(max(0, _bytes(folders) - before) // MB)

    thread = threading.Thread(target=watch, daemon=True)
    if total:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if total:
            thread.join()
            meter.update(max(0, _bytes(folders) - before) // MB)
            meter.close()


def _bytes(folders: list[Path]) -> int:
    total = 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            total += path.lstat().st_size
        except OSError:  # a temporary file that has got its name
            continue
    return total
