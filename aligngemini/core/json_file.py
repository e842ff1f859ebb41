"""Values as JSON holds them, and files of them."""

import json
import math
from pathlib import Path
from typing import Any

from aligngemini.core import atomic


def write(path: Path, value: Any) -> Path:
    """Write a JSON file of what `plain` takes, all or nothing, and return its path. Raises OSError."""
    return atomic.write(path, spell(value))


def spell(value: Any) -> str:
    """Return what `plain` takes as the text of a JSON file."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: numpy as numbers and lists, NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"JSON cannot hold {value!r} ({type(value).__name__})")
