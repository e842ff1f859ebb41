"""Files of a repository on the hub, checked against the hub's own checksums."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from ..workbook import fingerprint, paths
from ..workbook.params import Refused
from ..workbook.progress import Meter
from . import large, room
from .repository import Repository, answered

MB = 10**6


def fetch(found: Repository, names: list[str], folder: Path | None = None, watched: list[Path] | None = None) -> Path:
    """Fetch files into the hub's cache, or below `folder` under their own names; where they lie.

    What is there is not fetched again, and a large file of which a part is there goes on; files are checked, one that
    differs is removed. `watched` are the folders that grow meanwhile. Raises Refused, DiskFull, and filelock's Timeout
    where another process fetches the same.
    """
    home = folder or found.cache
    missing = [name for name in names if not found.there(name, folder)]
    parts = large.parts(found, missing, folder)
    size = sum(found.sizes[name] for name in missing) - sum(part.size for part in parts.values())
    option = "--root" if folder else "HF_HOME"
    room.need(home, size, found.repo, option)
    with _alone(home, option) if missing else nullcontext(), _shown(watched or [home / "blobs"], found.repo, size):
        # Small files first: their names in the cache let `check` tell an interrupted download from none.
        _by_client(found, [name for name in names if not found.large(name)], folder)
        large.fetch(found, parts)
        place = folder or _by_client(found, names)  # it puts the names on what lies in its cache
    _compare(found, [name for name in names if name not in missing or not found.large(name)], place)
    return place


def digest(path: Path, like: str) -> str:
    """The digest of a file as the hub gives it: SHA-256 if `like` is one, else git's SHA-1 of a blob."""
    if len(like) == 64:
        return fingerprint.of_file(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _alone(home: Path, option: str) -> AbstractContextManager:
    """Keep other processes from fetching the same: the hub's cache belongs to every root."""
    from filelock import FileLock

    paths.writable(home, option).mkdir(parents=True, exist_ok=True)
    return FileLock(home / ".fetch.lock", timeout=0)


def _by_client(found: Repository, names: list[str], folder: Path | None = None) -> Path:
    """Let the hub's client bring what is not there yet; where it lies."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if folder and not names:
        return folder
    disable_progress_bars()
    told = {"repo_type": found.kind, "revision": found.revision or None, "local_dir": folder}
    return Path(answered(found.repo, lambda: snapshot_download(found.repo, allow_patterns=names, **told)))


def _compare(found: Repository, names: list[str], place: Path) -> None:
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
