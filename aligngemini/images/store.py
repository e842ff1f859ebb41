"""Write files so that a reader sees either nothing or the whole."""

import os
from pathlib import Path


def put(path: Path, data: bytes) -> Path:
    """Write bytes under a passing name, then move them to `path`; a later try reuses that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".part-{path.name}")
    passing.write_bytes(data)
    os.replace(passing, path)
    return path
