"""Secrets taken out of what is written of errors: sentences, manifests, logs and executed notebooks."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

MASK = "***"
PATTERNS = (
    re.compile(r"(?<=://)[^\s/\"'<>\\]+(?=@)"),  # user:password of an address
    re.compile(r"\bhf_[A-Za-z0-9]{8,}"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"'<>\\,]+|(?<=\bbasic )[A-Za-z0-9+/=]{8,}"),
    re.compile(
        r"(?i)(?<=[?&])((?:x-amz-)?(?:signature|credential|security-token)|\w*token|password|key)=[^&\s\"'<>\\]+"
    ),
)
NAMES = re.compile(r"(?i)(token|password|passwd|secret|api_?key)$")  # variables of the environment that hold one
SHORTEST = 8  # characters of such a variable that are a secret: a switch such as 1 or true is none


def hidden(value: Any) -> Any:
    """Return a text, or what JSON holds with the texts in it, with `***` for every secret."""
    return mapped(value, _hidden)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a text, or what JSON holds with the texts in it, changed."""
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def hide(path: Path) -> None:
    """Write the notebook or the log at `path` anew without secrets, if it is there and holds any."""
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    content = _parsed(text) if path.suffix == ".ipynb" else text
    clean = hidden(content)
    if clean != content:
        path.write_text(clean if isinstance(clean, str) else json.dumps(clean, indent=1) + "\n", encoding="utf-8")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a notebook that was being written
        return text


def _hidden(text: str) -> str:
    for secret in _own():
        text = text.replace(secret, MASK)
    for pattern in PATTERNS:
        text = pattern.sub(MASK, text)
    return text


def _own() -> list[str]:
    """What the environment itself says is secret: tokens, and the user and password of addresses, longest first."""
    found = set()
    for name, value in os.environ.items():
        if NAMES.search(name) and len(value) >= SHORTEST:
            found.add(value)
        address = re.match(r"\w+://([^/]+)@", value)
        found |= {part for part in address[1].split(":", 1)[1:] if len(part) >= 4} if address else set()
    return sorted(found, key=len, reverse=True)
