"""How many hostile examples are tried, and what each of them may cost.

A few, always the same, in every run of the tests; HOSTILE_EXAMPLES=5000 tries so many new ones of each kind.
"""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis makes hostile input: pip install -e '.[dev]'")
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MANY = int(os.environ.get("HOSTILE_EXAMPLES", 0))
SECONDS = 10  # of this process's time for one example
MEMORY = 400 * 2**20  # bytes by which one example may raise the peak of this process


def tried(few: int) -> settings:
    """Settings for a test that tries `few` examples by default."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=MANY or few, derandomize=not MANY, database=None, deadline=None, suppress_health_check=checks
    )


class Endless(BaseException):
    """An example took too long; no handler of ordinary exceptions stops it."""


@contextmanager
def bounded() -> Iterator[None]:
    """Raise Endless after SECONDS of processor time, and AssertionError where more than MEMORY was taken."""

    def stop(*_) -> None:
        raise Endless(f"more than {SECONDS} s")

    before, old = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


@st.composite
def damaged(draw, originals: list[bytes]) -> bytes:
    """One of `originals` with up to eight places overwritten, cut out or filled in, perhaps cut short."""
    data = bytearray(draw(st.sampled_from(originals)))
    some = st.one_of(
        st.binary(max_size=8), st.sampled_from([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
    )
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.one_of(st.integers(0, min(len(data), 256)), st.integers(0, len(data))))
        new = draw(some)
        data[at : at + draw(st.sampled_from([len(new), len(new), 0, 8]))] = new
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.integers(0, 4)) == 0 else bytes(data)


def tree(folder: Path) -> dict[str, bytes]:
    """All files under `folder` with their bytes; links and folders with none."""
    plain = {path: path.is_file() and not path.is_symlink() for path in sorted(folder.rglob("*"))}
    return {str(path.relative_to(folder)): path.read_bytes() if is_file else b"" for path, is_file in plain.items()}


# What JSON and YAML can hold, odd numbers and texts among it.
ODD = ["", "..", "../../x", "/etc/passwd", "a\0b", "\ud800", "latest", "x" * 5000, "1e999", "NaN", "null"]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from(ODD), st.text(max_size=8)
)
VALUES = st.recursive(
    LEAVES,
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(st.text(max_size=6), inside, max_size=3)),
    max_leaves=6,
)


@st.composite
def changed(draw, original):
    """A copy of a JSON value in which up to three parts are removed or other values."""
    value = draw(st.just(original))
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    return value


def _changed(draw, value):
    """One part of `value` removed or replaced, at any depth."""
    inside = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inside or draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    part, copy = draw(st.sampled_from(inside)), value.copy()
    if draw(st.integers(0, 5)) == 0:
        del copy[part]
    else:
        copy[part] = _changed(draw, value[part])
    return copy
