"""Files from the web: an interrupted one goes on where it was, a busy server is asked again, failures are words."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError
from urllib3.util import Retry

from ..workbook import atomic, paths
from ..workbook.params import Refused
from ..workbook.progress import Meter

TRIES, BACKOFF = 5, 1.0  # tries without a new byte, and seconds before the second, doubled each time: ours
BUSY = (429, 500, 502, 503, 504)
TIMEOUT = (15, 60)  # seconds to connect, and between two bytes
CHUNK = 2**18  # bytes; what has come of one when the connection breaks is lost
MB = 10**6
GONE = "it is gone"  # what a server says it does not have (any more)
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class Unfetched(RuntimeError):
    """A file did not come; the text is the reason, without an end, fit for a sentence or a table."""


def session(connections: int = 1) -> requests.Session:
    """A session for that many threads; busy servers are asked again with growing pauses."""
    retry = Retry(TRIES, connect=0, read=0, other=0, status_forcelist=BUSY, backoff_factor=BACKOFF,
                  raise_on_status=False, respect_retry_after_header=False)  # fmt: skip
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    made.headers["Accept-Encoding"] = "identity"  # ranges and lengths count the file's own bytes
    return made


def length(here: requests.Session, url: str) -> int:
    """Bytes that `url` announces; 0 where it does not. Raises Unfetched."""
    try:
        response = here.head(url, allow_redirects=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise Unfetched(_broken(error, url)) from error
    if not response.ok:
        raise Unfetched(_status(response.status_code))
    return int(response.headers.get("Content-Length", 0))


@contextmanager
def by_hand(url: str, pack: Path, name: str, mirror: str) -> Iterator[None]:
    """Turn Unfetched into Refused, with the ways to an archive called `name`; `mirror` is a variable that names one."""
    try:
        yield
    except Unfetched as error:
        raise Refused(
            f"{url} cannot be fetched: {error}; check the network, set {mirror} to a mirror, or put {name} "
            f"into {paths.short(pack.parent)} yourself"
        ) from error


def download(here: requests.Session, url: str, path: Path, label: str = "") -> None:
    """Fetch `url` into `path`, whole or not at all; progress in MB where there is a `label`.

    What came of it stays in `<path>.part` and is not asked for again as long as the server says, by its ETag or date,
    that the file is still the same one. Raises Unfetched, and OSError of the disk.
    """
    part = Part(path)
    gather(here, url, part, label)
    part.finish()


def gather(here: requests.Session, url: str, part: "Part", label: str = "") -> None:
    """Fetch what `part` lacks of `url`, as `download` does; whoever calls this looks at it and gives it its name."""
    part.file.parent.mkdir(parents=True, exist_ok=True)
    left = TRIES
    while True:
        had = part.size
        try:
            if _once(here, url, part, label):
                return
        except requests.RequestException as error:
            left = TRIES if part.size > had else left - 1
            if not left or not isinstance(error, BROKEN):
                raise Unfetched(_broken(error, url)) from error
            time.sleep(BACKOFF * 2 ** (TRIES - left))


class Part:
    """An unfinished download beside its `path`, and what tells that the server's file is still the one it began.

    `known` tells the file where it is known beforehand, by a digest; else the server's ETag or date does.
    """

    def __init__(self, path: Path, known: str = "") -> None:
        self.path, self.file, self.known = path, path.with_name(f"{path.name}.part"), known
        self._mark = path.with_name(f".{path.name}.mark")

    @property
    def mark(self) -> str:
        """The digest, a strong ETag or a date; "" where there is none, then nothing can be gone on with."""
        return self._mark.read_text(encoding="utf-8") if self._mark.is_file() else ""

    @property
    def size(self) -> int:
        """Bytes that need not be fetched again."""
        mark = self.mark
        return self.file.stat().st_size if mark and mark == (self.known or mark) and self.file.is_file() else 0

    @property
    def wanted(self) -> dict[str, str]:
        """The headers that ask for the rest alone, if the server has the same file still."""
        same = {} if self.known else {"If-Range": self.mark}
        return {"Range": f"bytes={self.size}-", **same} if self.size else {}

    def begin(self, mark: str) -> None:
        """Start over with a file that the server marks so; "": it cannot be gone on with, unless it is known."""
        mark = self.known or mark
        self._mark.unlink(missing_ok=True)
        with self.file.open("wb"):
            pass
        if mark:
            atomic.write(self._mark, mark)

    def finish(self) -> None:
        """Give the file its name."""
        os.replace(self.file, self.path)
        self._mark.unlink(missing_ok=True)


def _once(here: requests.Session, url: str, part: Part, label: str) -> bool:
    """Ask once; whether the file is whole now. Raises requests' errors and Unfetched."""
    had = part.size
    with here.get(url, headers=part.wanted, stream=True, timeout=TIMEOUT) as response:
        told = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if response.status_code == 416 and had:
            return _all_there(told, had, part)
        if not response.ok:
            raise Unfetched(_status(response.status_code))
        goes_on = response.status_code == 206 and told and told[1] == str(had)
        if response.status_code == 206 and not goes_on:
            return _not_of_use(response, had, part)
        if not goes_on:
            part.begin(_marked(response))
            had = 0
        _take(response, part.file, had, label)
    return True


def _all_there(told: re.Match | None, had: int, part: Part) -> bool:
    """Nothing is left after `had` bytes: that is the whole file, or one that the server does not have."""
    if told and told[2] == str(had):
        return True
    part.begin("")
    return False


def _not_of_use(response: requests.Response, had: int, part: Part) -> bool:
    """Bytes of another place than asked for: the next try asks for all of them."""
    if not had:
        raise Unfetched(_status(response.status_code))
    part.begin("")
    return False


def _marked(response: requests.Response) -> str:
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _take(response: requests.Response, file: Path, had: int, label: str) -> None:
    """Append what comes; a body shorter than its Content-Length raises requests' ChunkedEncodingError."""
    total = had + int(response.headers.get("Content-Length", 0))
    meter = Meter(f"{label}, MB", total // MB or None, had // MB) if label else None
    try:
        with file.open("ab") as out:
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                out.flush()  # before the next is waited for, so that a kill loses less than one chunk
                had += len(chunk)
                if meter:
                    meter.update(had // MB)
    finally:
        if meter:
            meter.close()


def _status(code: int) -> str:
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
