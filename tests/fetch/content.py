"""What a server has behind a path: bytes, or a file that is sent from disk and never read as a whole."""

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

BLOCK = 1 << 20  # bytes of a file that are digested at once
_one_at_a_time = Lock()  # two requests for a new file would digest it twice


@dataclass(frozen=True)
class Content:
    """The bytes of a body, or the file that holds them."""

    source: bytes | Path

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.source.stat().st_size if isinstance(self.source, Path) else len(self.source)

    @property
    def etag(self) -> str:
        """An entity tag in quotes, another for other bytes."""
        if isinstance(self.source, Path):
            return f'"{sha256(self.source)}"'
        return f'"{hashlib.md5(self.source).hexdigest()}"'

    def opened(self) -> BinaryIO:
        """A file to read its bytes from."""
        return self.source.open("rb") if isinstance(self.source, Path) else io.BytesIO(self.source)


def sha256(file: Path) -> str:
    """What the hub calls a large file by."""
    return _digests(file)[0]


def blob(file: Path) -> str:
    """What git calls a file by: the SHA-1 of its size and its bytes."""
    return _digests(file)[1]


def _digests(file: Path) -> tuple[str, str]:
    facts = file.stat()
    with _one_at_a_time:
        return _computed(file, facts.st_size, facts.st_mtime_ns)


@cache
def _computed(file: Path, size: int, changed: int) -> tuple[str, str]:
    """Both digests from one reading; models have gigabytes, and are asked for often."""
    large, small = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            large.update(block)
            small.update(block)
    return large.hexdigest(), small.hexdigest()
