"""The loopback server answers like the web: parts of files, lengths without bodies, no whole file in memory."""

import tracemalloc
import urllib.request

import pytest

from tests.fetch import content
from tests.fetch.loopback import Loopback

SIZE = 64_000_000  # bytes of a large file


def _asked(url: str, method: str = "GET", **headers: str):
    return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=20)


@pytest.fixture
def large(served: Loopback):
    """A file of the hub, most of it a hole."""
    file = served.hub / "models" / "big" / "model" / "model.safetensors"
    file.parent.mkdir(parents=True)
    with file.open("wb") as stream:
        stream.truncate(SIZE)
        stream.seek(SIZE - 5)
        stream.write(b"after")
    return file, f"{served.url}/big/model/resolve/main/{file.name}"


@pytest.mark.parametrize(
    ("wanted", "part"), [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=8-99", b"89"), ("bytes=0-0", b"0")]
)
def test_both_ends_of_a_range_are_honoured(served, wanted, part):
    served.files["/digits"] = b"0123456789"
    answer = _asked(f"{served.url}/digits", Range=wanted)
    first = int(part[:1])
    assert (answer.status, answer.read()) == (206, part)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/10"


def test_a_range_that_ends_before_it_begins_is_none(served):
    served.files["/digits"] = b"0123456789"
    answer = _asked(f"{served.url}/digits", Range="bytes=5-3")
    assert (answer.status, answer.read()) == (200, b"0123456789")


def test_a_part_of_a_file_of_the_hub_is_that_part(large):
    answer = _asked(large[1], Range=f"bytes={SIZE - 6}-{SIZE - 2}")
    assert answer.read() == b"\0afte" and answer.headers["Content-Length"] == "5"


def test_neither_the_head_nor_the_body_of_a_large_file_is_held_in_memory(large):
    tracemalloc.start()
    try:
        assert _asked(large[1], "HEAD").headers["Content-Length"] == str(SIZE)
        answer, length = _asked(large[1]), 0
        while block := answer.read(1 << 16):
            length += len(block)
        assert length == SIZE and tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_file_is_digested_again_only_when_it_has_changed(large, monkeypatch):
    file, _ = large
    before = content.sha256(file), content.blob(file)
    monkeypatch.setattr(content.hashlib, "sha256", None)
    assert before == (content.sha256(file), content.blob(file))
    monkeypatch.undo()
    file.write_bytes(b"other")
    assert content.sha256(file) != before[0] and content.blob(file) == "27fa34919ae70aa0d7eaccdfbf393cfc440e7d25"
