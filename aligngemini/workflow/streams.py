"""Standard output and error of a command: they print every name, and may be closed, full or left by their reader."""

import io
import os
import sys


def prepare() -> None:
    """Let what the encoding of a stream lacks be printed as its code (\\xe9), and closed streams lead nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon() -> None:
    """Give up what is still to be printed: Python would try once more when it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
