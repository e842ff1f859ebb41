"""Space on the disk, looked at before anything is fetched."""

import shutil
from pathlib import Path

from aligngemini.core import paths
from aligngemini.core.params import Refused

SPARE = 10**9  # bytes left to everybody else: ours


def need(folder: Path, size: int, what: str, option: str = "--root") -> None:
    """Raise Refused unless the disk of `folder` has `size` bytes, and SPARE; `option` chooses another."""
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    if size and size + SPARE > free:
        raise Refused(
            f"{what} needs {size / 1e9:.1f} GB and the disk of {paths.short(folder)} has {free / 1e9:.1f} GB free, "
            f"1 GB of which stay: free some, or choose another disk with {option}"
        )
