"""Where things are, and whether they can be written there: the only module that knows absolute paths."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aligngemini.core.params import Refused, shown

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).resolve().parents[1]


def resolve(text: str | Path, base: Path = ROOT) -> Path:
    """Return the absolute path of `text`; a relative one stands on the project, not on the working folder.

    Raises `Refused` for what can be no path: too long, a link to itself, a null character, a user who is not there.
    """
    try:
        path = (base / Path(text).expanduser()).resolve()
        os.stat(path)
    except (RuntimeError, ValueError) as error:
        raise Refused(f"{shown(str(text))} can be no path: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise Refused(f"{shown(str(text))} can be no path: {error.strerror}") from error
    return path


def outputs() -> Path:
    """Return the folder of all runs: ALIGNGEMINI_OUTPUTS, or `outputs` in the project.

    Raises `Refused` where a file stands in its way or it may not be read, and for an address.
    """
    folder = resolve(_no_address(os.environ.get("ALIGNGEMINI_OUTPUTS") or "outputs", "ALIGNGEMINI_OUTPUTS"))
    with _refused(folder, "--outputs or ALIGNGEMINI_OUTPUTS"):
        there = _nearest(folder)
        if there == folder and os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if not os.path.isdir(there):
        why = f"{short(there)} is no folder; choose another place with --outputs or ALIGNGEMINI_OUTPUTS"
        raise Refused(f"the outputs {short(folder)} cannot be written to: {why}")
    return folder


def set_outputs(folder: str | None) -> None:
    """Take a folder from the command line: relative to the working directory, as people type it. Raises `Refused`."""
    if folder is None:
        return
    if not folder.strip():
        raise Refused("--outputs is empty: give a folder for the runs, or leave it out")
    os.environ["ALIGNGEMINI_OUTPUTS"] = str(resolve(_no_address(folder, "--outputs"), Path.cwd()))
    outputs()


def built() -> Path:
    """Return the folder of what is made from data sets: ALIGNGEMINI_BUILT, or `data/built` in the project."""
    return resolve(_no_address(os.environ.get("ALIGNGEMINI_BUILT") or "data/built", "ALIGNGEMINI_BUILT"))


def notebooks() -> Path:
    """Return the folder of notebooks and recipes: ALIGNGEMINI_NOTEBOOKS, or `notebooks` in the project."""
    return resolve(os.environ.get("ALIGNGEMINI_NOTEBOOKS") or "notebooks")


def notebook(name: str) -> Path:
    """Return the path of the notebook called `name`, e.g. "02_vlm_dpo"."""
    return notebooks() / f"{name}.ipynb"


def short(path: str | Path) -> str:
    """Return `path` as people read it: relative to the working directory where it lies under it."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def writable(folder: str | Path, option: str = "--outputs", *names: str) -> Path:
    """Return `folder`, absolute, if files can be made in it, or in the nearest folder above it that is there.

    `names`: patterns of the files that will be written again. Nothing changes. `option` is what chooses the place.
    Raises `Refused`.
    """
    if folder == "":
        raise Refused(f"{option} is empty: give a folder")
    folder = Path(_no_address(folder, option)).absolute()
    with _refused(folder, option), tempfile.TemporaryFile(dir=_nearest(folder)):
        for path in (path for name in names for path in folder.glob(name)):
            writable_file(path, option)
    return folder


def writable_file(path: str | Path, option: str) -> Path:
    """Return `path`, absolute, if a file can be written there; its folder must be there. Raises `Refused`."""
    if path == "":
        raise Refused(f"{option} is empty: give a file")
    path = Path(_no_address(path, option)).absolute()
    with _refused(path, option):
        if _nearest(path) not in (path, path.parent):
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {short(path.parent)}")
        there = path.exists()
        if path.is_file() or path.is_dir() or not there:  # a pipe is not opened: its reader would see the end
            path.open("ab").close()  # adds nothing; the system alone knows all its rules
        if not there:
            path.unlink()
    return path


def _no_address(text: str | Path, option: str) -> str | Path:
    """Return `text`; raise `Refused` for an address, s3://bucket/runs, of which a path would make a folder called s3:.

    Locks and moves that are whole or not at all are what object stores lack.
    """
    if "://" in str(text):
        raise Refused(
            f"{option} takes a folder, and {shown(str(text))} is an address: work in a folder of a disk or of a shared"
            " file system, and copy what is complete there (docs/scale.md, Runs on an object store)"
        )
    return text


def _nearest(path: Path) -> Path:
    """The first of `path` and the folders above it that is there. Raises OSError for what may not be looked at."""
    for each in (path, *path.parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(each)
            return each
    return path


@contextmanager
def _refused(path: Path, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # `manifest.room_on_disk` tells of that
            return
        why = error.strerror or str(error)
        raise Refused(f"{short(path)} cannot be written to ({why}): choose another place with {option}") from error
