"""Secrets taken out of what is written of errors: sentences, manifests, logs and executed notebooks."""

import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aligngemini.core import atomic

MASK = "***"
PATTERNS = (
    re.compile(r"(?<=://)[^\s/\"'<>\\]+(?=@)"),  # user:password of an address
    re.compile(r"\bhf_[A-Za-z0-9]{8,}"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"'<>\\,]+|(?<=\bbasic )[A-Za-z0-9+/=]{8,}"),
    re.compile(
        r"(?i)(?<=[?&])([\w-]*(?:signature|credential|token|passw(or)?d|secret|key)|sig|auth|pwd)=[^&\s\"'<>\\]+"
    ),
)
# What changes in the query of an address when it is signed anew, at AWS and alike, or at Azure (s…).
SIGNED = re.compile(r"(?i)[?&]([\w-]*signature|sig)=")
SIGNING = re.compile(
    r"(?i)(x-(amz|goog)-[\w-]+|signature|expires|policy|[\w-]*key-?(pair-)?id|\w*accessid|s\w{1,4})=.*"
)
# Variables of the environment that hold one.
NAMED = (
    r"(?:token|password|passwd|passphrase|secret|(?:secret|api|access|account|storage|private|kaggle)_?key|"
    r"_pass|_pat|connection_string)(_?\d+)?"
)
NAMES = re.compile(rf"(?i){NAMED}$")
SHORTEST = 8  # characters of such a variable that are a secret: a switch such as 1 or true is none
# A word that the source of a cell gives such a name: x_token = "...", environ["X_TOKEN"] = "...", login(token="..."),
# environ.setdefault("X_TOKEN", "..."), %env X_TOKEN=...; "<...>" is a special token of a tokenizer.
GIVEN = re.compile(
    rf"(?i)({NAMED}[\"']?\]?\s*(:\s*str\s*)?[=:]|(setdefault|putenv|setenv)\([\"']\w*{NAMED}[\"'],)\s*[a-z]{{0,2}}"
    r"(?P<quote>[\"'])(?P<text>(?!<)((?!(?P=quote))\S){8,})(?P=quote)"
    rf"|%(set_)?env\s+\w*{NAMED}[\s=]+(?P<word>\S{{8,}})"
)


def hidden(value: Any, more: Iterable[str] = ()) -> Any:
    """Return a text, or what JSON holds with the texts in it, with `***` for every secret, and for those in `more`."""
    return mapped(value, partial(_masked, sorted(_secrets(more), key=len, reverse=True)))


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a text, or what JSON holds with the texts in it, changed."""
    if isinstance(value, dict):
        return {mapped(key, change): mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def public(address: str) -> str:
    """Return an address as it may be written: without its user, password and signature, so that it stays the same when
    it is signed anew; with `***` for other secrets, and a digest behind it, which tells two of them apart.
    """
    plain = re.sub(r"(?<=://)[^\s/]+@", "", address)
    if SIGNED.search(plain):
        stem, _, query = plain.partition("?")
        plain = "?".join([stem, "&".join(part for part in query.split("&") if not SIGNING.fullmatch(part))]).rstrip("?")
    clean = hidden(plain)
    return clean if clean == plain else f"{clean}#{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def of_notebook(notebook: dict[str, Any]) -> set[str]:
    """Return the secrets in the source of a notebook's cells: words given to a name such as `api_key` or "HF_TOKEN"."""
    sources = ["".join(cell["source"]) for cell in notebook.get("cells", []) if cell.get("cell_type") == "code"]
    return {found["text"] or found["word"] for source in sources for found in GIVEN.finditer(source)}


def hide(path: Path) -> None:
    """Write the notebook or the log at `path` anew without secrets, whole or not at all, if it is there and holds any.

    Raises OSError.
    """
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        notebook = json.loads(text) if path.suffix == ".ipynb" else None
    except ValueError:  # one that was being written
        notebook = None
    clean = json.dumps(hidden(notebook, of_notebook(notebook)), indent=1) + "\n" if notebook else hidden(text)
    if clean != text:
        atomic.write(path, clean)


def _masked(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    for pattern in PATTERNS:
        text = pattern.sub(MASK, text)
    return text


def _secrets(more: Iterable[str] = ()) -> set[str]:
    """The secrets in the environment, tokens and the passwords of addresses, and `more`."""
    named = {value for name, value in os.environ.items() if NAMES.search(name) and len(value) >= SHORTEST}.union(more)
    addresses = [re.match(r"\w+://[^/:]*:([^/]{4,})@", value) for value in os.environ.values()]
    return {text for each in named for text in _spelt(each)} | {address[1] for address in addresses if address}


def _spelt(secret: str) -> set[str]:
    """A secret as it is, as Python, JSON, HTML and addresses write it, and its lines: a notebook keeps them apart."""
    lines = {line for line in secret.splitlines() if len(line) >= SHORTEST}
    written = repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret), quote(os.fsencode(secret), safe="")
    return {secret, *written, *lines}
