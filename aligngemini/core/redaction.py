"""Secrets taken out of what is written of errors: sentences, manifests, logs and executed notebooks."""

import hashlib
import html
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
NAMES = re.compile(
    r"(?i)(token|password|passwd|passphrase|secret|(secret|api|access|account|storage|private|kaggle)_?key|"
    r"_pass|_pat|connection_string)(_?\d+)?$"
)
SHORTEST = 8  # characters of such a variable that are a secret: a switch such as 1 or true is none


def hidden(value: Any) -> Any:
    """Return a text, or what JSON holds with the texts in it, with `***` for every secret."""
    return mapped(value, partial(_masked, sorted(_secrets(), key=len, reverse=True)))


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


def hide(path: Path) -> None:
    """Write the notebook or the log at `path` anew without secrets, if it is there and holds any."""
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        clean = json.dumps(hidden(json.loads(text)), indent=1) + "\n" if path.suffix == ".ipynb" else hidden(text)
    except ValueError:  # a notebook that was being written
        clean = hidden(text)
    if clean != text:
        path.write_text(clean, encoding="utf-8")


def _masked(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    for pattern in PATTERNS:
        text = pattern.sub(MASK, text)
    return text


def _secrets() -> set[str]:
    """The secrets in the environment: tokens, and the passwords of addresses."""
    named = {value for name, value in os.environ.items() if NAMES.search(name) and len(value) >= SHORTEST}
    addresses = [re.match(r"\w+://[^/:]*:([^/]{4,})@", value) for value in os.environ.values()]
    return {text for each in named for text in _spelt(each)} | {address[1] for address in addresses if address}


def _spelt(secret: str) -> set[str]:
    """A secret as it is, as Python, JSON, HTML and addresses write it, and its lines: a notebook keeps them apart."""
    lines = {line for line in secret.splitlines() if len(line) >= SHORTEST}
    written = repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret), quote(os.fsencode(secret), safe="")
    return {secret, *written, *lines}
