"""How what a run computes comes about: from which random state, and as which file or folder. `run` says when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aligngemini.core import atomic, seeds, values


def fill(
    path: Path, name: str, seed: int, torch: bool, function: Callable, args: tuple, kwargs: dict[str, Any]
) -> None:
    """Make the file or folder `path` of what a function computes, whole or not at all.

    With a suffix (see `values`) the function returns the value; without one, it fills a folder whose path is its last
    positional argument. Before it the global random generators are seeded from `seed` and `name`, see `seeds.seed`.
    """
    with atomic.replacing(path) as temporary:
        seeds.seed(seed, name, torch)
        if path.suffix:
            temporary.write_bytes(values.dump(function(*args, **kwargs), path))
            return
        temporary.mkdir()
        function(*args, temporary, **kwargs)
        if not any(temporary.iterdir()):
            raise RuntimeError(f"{function.__name__} wrote nothing into the folder it was given")


def filled(path: Path, name: str, seed: int) -> Any:
    """Return the value in a file that `fill` made, or the path of a folder; random draws go on in the same way whether
    it was made now or long ago.
    """
    seeds.seed(seed, f"after {name}")
    return values.read(path) if path.suffix else path
