"""Reading files that people write or that may be damaged: regular, of a sensible size, UTF-8, and never waited for."""

import errno
import json as library
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from aligngemini.core.params import Refused, said
from aligngemini.core.yaml_loader import Loader

MOST = 2**20  # bytes of a file that people write by hand


def content(path: str | Path, most: int = MOST) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes.

    Raises OSError for anything else: a folder, a pipe, a device, a file of the kernel that has no data or no end.
    """
    data = start(path, most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return data


def start(path: str | Path, count: int) -> bytes:
    """Return the first `count` bytes of a regular file, all of a shorter one; -1: all. Raises OSError as `content`."""
    # Without O_NONBLOCK a pipe, or a log of the kernel, would wait for ever.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(count) or b""


def json(path: str | Path, most: int = 2**28) -> Any:
    """Return what a JSON file holds. Raises OSError or ValueError, the latter also for what is nested too deeply."""
    try:
        return library.loads(content(path, most))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def known(path: str | Path) -> dict[str, Any]:
    """Return the names and values that a JSON file holds, {} where there is none yet, or a damaged one."""
    try:
        found = json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def beside(module: str) -> dict[str, Any]:
    """Return the table that lies beside a module (its `__file__`) as a YAML file of the same name."""
    file = Path(module).with_suffix(".yaml")
    return mapping(file, file.name)


def mapping(path: Path, place: str) -> dict[str, Any]:
    """Return what a YAML file of lines `name: value` holds, {} for an empty one; `place` is what sentences call it.

    Raises `Refused` for a file that cannot be read, that is no UTF-8 or no YAML, or that names a key twice.
    """
    try:
        found = yaml.load(content(path).decode("utf-8-sig"), Loader)
    except UnicodeDecodeError as error:
        raise Refused(f"{place} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise Refused(f"{place} cannot be read: {error.strerror}; put a small YAML file there") from error
    except RecursionError as error:
        raise Refused(f"{place} is nested too deeply: it needs no more than a few levels") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Refused(f"{place} is not YAML: {line}{error.problem}") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:  # such as a date 2020-99-99
        raise Refused(f"{place} is not YAML: {said(error)[:200]}") from error
    if not isinstance(found, dict | None):
        raise Refused(f"{place} must hold lines `name: value`, got {type(found).__name__}")
    return found or {}
