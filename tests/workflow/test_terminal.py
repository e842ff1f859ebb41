"""What a command prints: every name, whatever the stream can spell, and no traceback where nobody can read it."""

import io
import os
import subprocess
import sys

import pytest

from aligngemini import cli
from aligngemini.core import paths

NAME = "café \udce9 图"


@pytest.fixture
def naming(monkeypatch):
    """The command `runs` prints a name that hardly any stream can spell."""
    monkeypatch.setattr(cli, "_runs", lambda args: print(NAME))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_that_the_stream_cannot_spell_is_printed_by_its_codes(naming, monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["runs"]) == 0
    said = out.buffer.getvalue()
    assert b"\\udce9" in said and ("caf\\xe9" if encoding == "ascii" else "café").encode(encoding) in said


def test_a_refusal_names_what_standard_error_cannot_spell(monkeypatch):
    error = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stderr", error)
    assert cli.main(["detect", f"nowhere/{NAME}.png"]) == 2
    assert b"nowhere/caf\\xe9 \\udce9 \\u56fe.png" in error.buffer.getvalue()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_stops_nothing(naming, monkeypatch, stream):
    monkeypatch.setattr(sys, stream, None)
    assert cli.main(["runs"]) == 0
    assert cli.main(["detect", "nowhere.png"]) == 2


@pytest.mark.parametrize(
    ("to", "said"),
    [("/dev/full", "aligngemini: no space left for what is printed\n"), (None, "")],
    ids=["full", "left"],
)
def test_output_that_nobody_can_take_is_an_exit_code_and_no_traceback(to, said, tmp_path):
    if to and not os.path.exists(to):
        pytest.skip("this system has no /dev/full")
    reader, writer = os.pipe()
    os.close(reader)
    environment = os.environ | {"ALIGNGEMINI_OUTPUTS": str(tmp_path), "PYTHONPATH": str(paths.ROOT)}
    with os.fdopen(writer, "w") as left, open(to or os.devnull, "w") as full:
        words = {"stdout": full if to else left, "stderr": subprocess.PIPE, "env": environment, "text": True}
        done = subprocess.run([sys.executable, "-m", "aligngemini.cli", "runs"], timeout=60, **words)
    assert (done.returncode, done.stderr) == (cli.FAILED, said)


def test_a_process_whose_garbage_is_frozen_ends_at_once_and_loses_nothing():
    code = (
        "import atexit, gc, sys, threading\n"
        "from aligngemini import cli\n"
        "cli._runs = lambda args: gc.freeze() or print('listed') or 3\n"
        "atexit.register(print, 'handlers ran', file=sys.stderr)\n"
        "threading._register_atexit(print, 'Python ended')\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "runs"], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "listed\n", "handlers ran\n")
