"""What a command prints: every name whatever the stream can spell, and one sentence for an error without one."""

import atexit
import io
import os
import sys
import tempfile
import traceback

from aligngemini.core import redaction
from aligngemini.core.params import shown


class Failed(RuntimeError):
    """A stage stopped with an error: the text says which, why, where its notebook is, what to do next."""


def prepare() -> None:
    """Print what the encoding of a stream lacks as its code (\\xe9), and let closed streams lead nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon() -> None:
    """Give up what is still to be printed: Python would try once more when it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end(code: int) -> None:
    """End the process at once. Python would take apart all that was loaded, which takes longer, and where garbage is
    frozen, nanobind writes a page on what is left.
    """
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code)


def unforeseen(error: Exception) -> str:
    """Write the traceback of `error`, without secrets, into a file of its own; return what happened and where it is."""
    what = f"{type(error).__name__}: {shown(next(iter(str(error).splitlines()), ''))}"
    try:
        path = _write_traceback(error)
    except OSError:  # a full disk, for one, which may be why the error came
        return (
            f"{what}. Its traceback cannot be written, either: free some space for temporary files, or choose another "
            "disk with TMPDIR, then run the same command again"
        )
    return f"this should not have happened: {what}. The traceback is in {path}: please report it"


def _write_traceback(error: Exception) -> str:
    file, path = tempfile.mkstemp(prefix="aligngemini-", suffix=".txt")
    with open(file, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(redaction.hidden("".join(traceback.format_exception(error))))
    return path
