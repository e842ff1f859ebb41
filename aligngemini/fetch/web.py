"""Download files: what was interrupted goes on where it was, and a busy server is asked again."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import errors, file_download
from huggingface_hub.utils import get_session, hf_raise_for_status

from aligngemini.core import atomic, paths
from aligngemini.core.params import Refused
from aligngemini.core.progress import Meter

from . import record

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before a busy server is asked again: ours
BUSY = re.compile(r"HTTP (429|5\d\d)|breaks off|in time|cannot be reached")
TIMEOUT = 60  # seconds to connect, and between two bytes
PLAIN = {"Accept-Encoding": "identity"}  # ranges and lengths count the file's own bytes
SPARE = 10**9  # bytes of a disk left to everybody else: ours
MB = 10**6
GONE = "it is gone"  # what a server says it does not have (any more)


class DownloadFailed(RuntimeError):
    """A file did not come; the text is the reason, fit for a sentence or a table."""


class Transfer(Meter):
    """Progress of downloads, in MB; `had` bytes of `size` (0: not known) are there already."""

    def __init__(self, label: str, size: int, had: int = 0) -> None:
        super().__init__(f"{label}, MB", size // MB or None, had // MB)
        self.bytes, self.lock = had, threading.Lock()

    def update(self, size: int) -> None:
        """Note that `size` more bytes have come, from any thread."""
        with self.lock:
            self.bytes += size
            super().update(self.bytes // MB)


def download(url: str, path: Path, size: int, version: str, meter: Transfer, headers: dict[str, str] = PLAIN) -> None:
    """Fetch a file of `size` bytes (0: not known), whole or not at all; what comes of it lies in `<path>.part`.

    It goes on where an earlier call for the same `version` was interrupted: an ETag, a date, or the `record.digest`,
    with which the file is compared in the end. Raises what the hub's client does, DownloadFailed, OSError of the disk.
    """
    had, unfinished = begun(path, version) if size else 0, part(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not had:
        unfinished.open("wb").close()
        atomic.write(_mark(path), version)
    if had < size or not size:
        plain = not version or record.DIGEST.fullmatch(version)
        condition = {} if plain else {"If-Range": version}  # all of it, where there is a newer one
        _append(url, unfinished, had, headers | condition, meter)
    if why := _damage(unfinished, size, version):
        unfinished.unlink()
        raise DownloadFailed(f"{path.name} came with {why} and is removed")
    os.replace(unfinished, path)
    _mark(path).unlink(missing_ok=True)


def _append(url: str, path: Path, had: int, headers: dict[str, str], meter: Transfer) -> None:
    """Fetch what follows the first `had` bytes; where the server has a newer file, all of that."""
    with path.open("r+b", buffering=0) as file:  # so that a kill loses less than one chunk
        file.seek(had)
        try:
            file_download.http_get(url, file, resume_size=had, headers=headers, _tqdm_bar=meter)
        except OSError as error:
            if "Consistency check" not in str(error):  # of a file whose size has changed meanwhile: `_damage` sees it
                raise


def _damage(path: Path, size: int, version: str) -> str:
    if record.DIGEST.fullmatch(version):
        return "" if record.digest(path, version) == version else "another checksum than the hub's"
    return "another size than was announced" if size and path.stat().st_size != size else ""


def begun(path: Path, version: str) -> int:
    """How many bytes of `path` in this version need not be fetched again."""
    mark = _mark(path)
    same = version and mark.is_file() and mark.read_text(encoding="utf-8") == version
    return part(path).stat().st_size if same and part(path).is_file() else 0


def part(path: Path) -> Path:
    """Where the unfinished download of `path` lies."""
    return path.with_name(f"{path.name}.part")


def _mark(path: Path) -> Path:
    """The file that says of which version the unfinished one is."""
    return path.with_name(f".{path.name}.mark")


def archive(url: str, path: Path, source: str, mirror: str, copies: int = 1) -> None:
    """Download an archive, if the disk has space for `copies` of it; `mirror` is a variable that names one.

    Raises Refused with the ways to the archive, and OSError of the disk.
    """
    try:
        size, version = patiently(lambda: _facts(url), problem)
        had = begun(path, version)
        need(path.parent, copies * size - had, source)
        with closing(Transfer(path.name, size, had)) as meter:
            patiently(lambda: download(url, path, size, version, meter), problem)
    except DownloadFailed as error:
        raise Refused(
            f"{url} cannot be fetched: {error}; check the network, set {mirror} to a mirror, or put {path.name} "
            f"into {paths.short(path.parent)} yourself"
        ) from error


def _facts(url: str) -> tuple[int, str]:
    """The size in bytes (0: not known) of what is at `url`, and its strong ETag or date ("": none)."""
    response = get_session().head(url, headers=PLAIN, timeout=TIMEOUT)
    hf_raise_for_status(response)
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return int(response.headers.get("Content-Length", 0)), etag if etag.startswith('"') else date


def patiently(call: Callable[[], Any], problem: Callable[[Exception], str]) -> Any:
    """Call something that asks a server; again while that is busy. Raises DownloadFailed with the `problem`, and what
    has none.
    """
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:  # the client's, the network's and the storage's errors of many kinds
            why = problem(error)
            if not why:
                raise
            if pause is None or not BUSY.search(why):
                raise DownloadFailed(why) from error
        time.sleep(pause)


def problem(error: Exception) -> str:
    """Why a server gave nothing; "" for an error of another kind. What the error says may hold a proxy's password."""
    if isinstance(error, errors.HfHubHTTPError):
        return _answered(error.response.status_code)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set: unset it"
    names = {kind.__name__ for kind in type(error).__mro__}  # the client has changed, the names of its errors have not
    if "TransportError" not in names:
        return ""
    host = urlsplit(str(error.request.url)).hostname
    if "TimeoutException" in names:
        return f"{host} does not answer in time"
    if "CERTIFICATE" in str(error):
        return f"{host} does not prove who it is (certificate)"
    unknown = re.search(r"Errno -\d|not known|getaddrinfo", str(error))
    return f"the name {host} is not known here" if unknown else f"the connection to {host} fails or breaks off"


def _answered(code: int) -> str:
    if code in (401, 403):
        return f"access is refused (HTTP {code})"
    if code in (404, 410):
        return f"{GONE} (HTTP {code})"
    busy = BUSY.fullmatch(f"HTTP {code}")
    return f"the server is overloaded or out of order (HTTP {code})" if busy else f"the answer is HTTP {code}"


def need(folder: Path, size: int, what: str, option: str = "--root") -> None:
    """Raise Refused unless the disk of `folder` has `size` bytes, and SPARE; `option` chooses another."""
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    if size and size + SPARE > free:
        raise Refused(
            f"{what} needs {size / 1e9:.1f} GB and the disk of {paths.short(folder)} has {free / 1e9:.1f} GB free, "
            f"1 GB of which stay: free some, or choose another disk with {option}"
        )
