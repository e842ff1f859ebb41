"""Download files: what was interrupted goes on where it was, and a busy server is asked again."""

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError
from urllib3.util import Retry

from aligngemini.core import atomic, paths
from aligngemini.core.params import Refused
from aligngemini.core.progress import Meter

from . import disk_space, record

TRIES, BACKOFF = 5, 1.0  # tries without a new byte, and seconds before the second, doubled each time: ours
BUSY = (429, 500, 502, 503, 504)
TIMEOUT = (15, 60)  # seconds to connect, and between two bytes
CHUNK = 2**18  # bytes; what has come of one when the connection breaks is lost
MB = 10**6
GONE = "it is gone"  # what a server says it does not have (any more)
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class DownloadFailed(RuntimeError):
    """A file did not come; the text is the reason, fit for a sentence or a table."""


class Transfer:
    """Progress of downloads, in MB; `had` bytes of `size` (0: not known) are there already."""

    def __init__(self, label: str, size: int, had: int = 0) -> None:
        self.meter = Meter(f"{label}, MB", size // MB or None, had // MB)
        self.bytes, self.lock = had, threading.Lock()

    def add(self, size: int) -> None:
        """Note that `size` more bytes have come, from any thread."""
        with self.lock:
            self.bytes += size
            self.meter.update(self.bytes // MB)

    def close(self) -> None:
        """End with one summary line."""
        self.meter.close()


def session(connections: int = 1) -> requests.Session:
    """A session for that many threads; busy servers are asked again with growing pauses."""
    retry = Retry(TRIES, connect=0, read=0, other=0, status_forcelist=BUSY, backoff_factor=BACKOFF,
                  raise_on_status=False, respect_retry_after_header=False)  # fmt: skip
    client = requests.Session()
    for scheme in ("http://", "https://"):
        client.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    client.headers["Accept-Encoding"] = "identity"  # ranges and lengths count the file's own bytes
    return client


@dataclass
class Download:
    """A file to fetch from `url` to `path`, whole or not at all; what comes of it lies in `<path>.part`.

    A later one goes on there if it has the same `version` (an ETag or a date, which the server sees) or `digest` (see
    `record.digest`, compared in the end). `moved` is called with the number of new bytes.
    """

    client: requests.Session
    url: str
    path: Path
    version: str = ""
    digest: str = ""
    moved: Callable[[int], None] = lambda size: None

    @property
    def part(self) -> Path:
        """The unfinished file."""
        return part(self.path)

    @property
    def mark(self) -> Path:
        """The file that says of which version the unfinished one is."""
        return self.path.with_name(f".{self.path.name}.mark")

    @property
    def had(self) -> int:
        """Bytes that need not be fetched again."""
        version = self.digest or self.version
        same = version and self.mark.is_file() and self.mark.read_text(encoding="utf-8") == version
        return self.part.stat().st_size if same and self.part.is_file() else 0

    def run(self) -> None:
        """Fetch the file. Raises DownloadFailed, and OSError of the disk."""
        left = TRIES
        while True:
            had = self.had
            try:
                self._append(had)
                break
            except requests.RequestException as error:
                left = TRIES if self.had > had else left - 1
                if not left or not isinstance(error, BROKEN):
                    raise DownloadFailed(_broken(error, self.url)) from error
                time.sleep(BACKOFF * 2 ** (TRIES - left))
        self._finish()

    def _append(self, had: int) -> None:
        """Ask once for what is missing. Raises requests' errors and DownloadFailed."""
        headers = {"Range": f"bytes={had}-"} if had else {}
        headers |= {"If-Range": self.version} if had and self.version else {}
        with self.client.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
            if response.status_code == 416 and span and span[2] == str(had):
                return
            if response.status_code in (206, 416) and not (span and span[1] == str(had)):
                self.mark.unlink(missing_ok=True)
                raise requests.exceptions.ChunkedEncodingError("other bytes than those asked for")
            if not response.ok:
                raise DownloadFailed(_refusal(response.status_code))
            if response.status_code != 206:
                self.moved(-had)
                self._begin()
            self._write(response)

    def _begin(self) -> None:
        """Begin with the first byte."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.part.open("wb").close()
        atomic.write(self.mark, self.digest or self.version)

    def _write(self, response: requests.Response) -> None:
        """Append what comes; a body shorter than its Content-Length raises requests' ChunkedEncodingError."""
        with self.part.open("ab") as out:
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                out.flush()  # before the next is waited for, so that a kill loses less than one chunk
                self.moved(len(chunk))

    def _finish(self) -> None:
        """Give the file its name."""
        if self.digest and record.digest(self.part, self.digest) != self.digest:
            self.part.unlink()
            raise DownloadFailed(f"{Path(self.url).name} came with another checksum than the hub's and is removed")
        os.replace(self.part, self.path)
        self.mark.unlink(missing_ok=True)


def part(path: Path) -> Path:
    """Where the unfinished download of `path` lies."""
    return path.with_name(f"{path.name}.part")


def archive(url: str, path: Path, source: str, mirror: str, copies: int = 1) -> None:
    """Download an archive, if the disk has space for `copies` of it; `mirror` is a variable that names one.

    Raises Refused with the ways to the archive, and OSError of the disk.
    """
    try:
        _archive(url, path, source, copies)
    except DownloadFailed as error:
        raise Refused(
            f"{url} cannot be fetched: {error}; check the network, set {mirror} to a mirror, or put {path.name} "
            f"into {paths.short(path.parent)} yourself"
        ) from error


def _archive(url: str, path: Path, source: str, copies: int) -> None:
    client = session()
    size, version = _facts(client, url)
    job = Download(client, url, path, version)
    disk_space.need(path.parent, copies * size - job.had, source)
    with closing(Transfer(path.name, size, job.had)) as transfer:
        job.moved = transfer.add
        job.run()


def _facts(client: requests.Session, url: str) -> tuple[int, str]:
    """The size in bytes (0: not known) of what is at `url`, and its strong ETag or date ("": none)."""
    try:
        response = client.head(url, allow_redirects=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise DownloadFailed(_broken(error, url)) from error
    if not response.ok:
        raise DownloadFailed(_refusal(response.status_code))
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return int(response.headers.get("Content-Length", 0)), etag if etag.startswith('"') else date


def _refusal(code: int) -> str:
    if code in (401, 403):
        return f"access is refused (HTTP {code})"
    if code in (404, 410):
        return f"{GONE} (HTTP {code})"
    return f"the server is overloaded or out of order (HTTP {code})" if code in BUSY else f"the answer is HTTP {code}"


def _broken(error: requests.RequestException, url: str) -> str:
    """Why no answer came. The error's own text is not shown: it may hold a proxy's password."""
    host = urlsplit(url).hostname
    inner = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(inner, NameResolutionError):
        return f"the name {host} is not known here"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{host} does not prove who it is (certificate)"
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer in time"
    return f"the connection to {host} fails or breaks off"
