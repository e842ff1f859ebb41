"""Fingerprints: digests of values, of files and folders, and of the code that an answer depends on."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aligngemini.core import code, paths
from aligngemini.core.params import Refused

if TYPE_CHECKING:  # pandas takes long to load, and most of this does without
    import pandas as pd

LENGTH = 12
APART = {"parameters", "exercise"}  # tags of cells that decide no answer: it knows parameters by their values
READ_WHOLE = 256 * 2**20  # larger folders are told apart by names and sizes: hashing them would take minutes
NOTHING = hashlib.sha256().hexdigest()  # of an empty file, or one of the kernel, which might have no end


def digest(value: Any) -> str:
    """Return the SHA-256 hex digest of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def inside(folder: str | Path) -> list[str]:
    """Return the names of all files in a folder and in those below it, sorted, with slashes; links to folders are not
    followed.
    """
    start = os.path.join(folder, "")
    found = [os.path.join(root, name) for root, _, names in os.walk(start) for name in names]
    return sorted(each.removeprefix(start).replace(os.sep, "/") for each in found if os.path.isfile(each))


def of_file(path: str | Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_source(path: Path) -> str:
    """Return a digest of the file or folder at `path`: its bytes, or names and sizes above 256 MB.

    A file that may not be read counts as such: whoever reads it says so, an image in its row.
    """
    names = inside(path) if path.is_dir() else ["."]
    sizes = {name: os.path.getsize(path / name) for name in names}
    if sum(sizes.values()) > READ_WHOLE:
        return digest(sizes)
    return digest({name: _of_content(path / name) if size else NOTHING for name, size in sizes.items()})


def _of_content(path: Path) -> str:
    """The digest of a file's bytes, "" where they cannot be read."""
    try:
        return of_file(path)
    except OSError:
        return ""


def of_answer(folder: Path, files: dict[str, dict[str, Any]]) -> str:
    """Return a digest of the `files` of a run's manifest, the same wherever the run and the images it names lie.

    Tables that name images by path are known by their other columns: `image_id` says which image it is.
    """
    names = [name for name in files if name.endswith(".parquet")]
    tables = {name: found for name in names if (found := _of_table(folder / name, files[name]["sha256"]))}
    return digest(files | tables)


@cache
def _of_table(path: Path, content: str) -> str:
    """A digest of the columns that name nothing of this disk, "" where all are such; cached by `content`, its digest.

    Of the reasons why an image does not count, which may name another file, it matters only that there is one.
    """
    import pandas as pd

    table = pd.read_parquet(path)
    if "path" not in table:
        return ""
    return of_rows(table.drop(columns="path").assign(**{"reason": table.reason != ""} if "reason" in table else {}))


def of_rows(table: "pd.DataFrame") -> str:
    """Return a digest of the columns and rows of a table, its index left out."""
    import pandas as pd

    plain = table.assign(**{name: table[name].map(str) for name in table if table[name].dtype == object})
    rows = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    return digest([list(table.columns), hashlib.sha256(rows.tobytes()).hexdigest()])


def of_code(notebook: Path, modules: Iterable[str] = (), package: Path = paths.PACKAGE) -> str:
    """Return a digest of the code that an answer of `notebook` depends on.

    That is its code cells except those with a tag of `APART`, and all modules of the package that they import, directly
    or not; and so for `modules`, dotted names of what is loaded by name. See `code.APART` for what does not count.
    """
    cells = [code.cell(text, package.name) for text in code_cells(notebook)]
    runs = [f"{package.name}.{name}" for name in code.RUNS]
    names = [*modules, *runs, *(name for cell in cells for name in cell.imports)]
    return digest([code.closure(names, package), [cell.digest for cell in cells]])


def of_module(name: str, package: Path = paths.PACKAGE) -> str:
    """Return a digest of the module with the dotted `name`, "aligngemini.vlm.load", and of all that it imports of the
    package, directly or not. Raises ValueError if it is no module that decides an answer.
    """
    found = code.closure([name], package)
    if name.partition(".")[2] not in found:
        raise ValueError(f"{name} is no module of {package}, or one that decides no answer")
    return digest(found)


def code_cells(notebook: Path) -> Iterator[str]:
    """Yield the sources of a notebook's code cells, those with a tag of `APART` left out."""
    if not notebook.is_file():
        raise Refused(f"there is no notebook {notebook}: work from a checkout of the project")
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and not APART & set(cell["metadata"].get("tags", [])):
            yield "".join(cell["source"])
