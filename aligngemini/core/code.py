"""Which code decides an answer: what is imported from the package, directly or not, except for what is `APART`.

A module counts by its syntax tree, so that comments, docstrings and layout change no name of a run.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from aligngemini.core import paths

APART = {
    "analysis.figures": "draws",
    "analysis.params": "the values of parameters stand in the question",
    "analysis.pictures": "draws",
    "analysis.plane": "draws",
    "analysis.report": "makes a page of what runs hold",
    "analysis.style": "draws",
    "branches.registry": "titles and colours; what decides of a branch stands in the question",
    "expert.params": "the values of parameters stand in the question",
    "explore": "widgets",
    "fusion.params": "the values of parameters stand in the question",
    "images.params": "the values of parameters stand in the question",
    "vlm.params": "the values of parameters stand in the question",
    "core.fingerprint": "gives names, and whatever it gives stands in them",
    "core.hub": "uploads what is finished",
    "core.manifest": "says of a run what it is",
    "core.parameter_table": "prints",
    "core.params": "the values of parameters stand in the question",
    "core.paths": "where things are",
    "core.progress": "prints",
    "core.redaction": "changes what is printed",
    "core.runs": "finds, locks and lists runs",
    "core.shipped": "refuses damaged files, and changes nothing",
}
"""Modules, or packages with all that they hold, that decide no answer, and why. In doubt a module decides."""
RUNS = ["core.filling"]  # what `core.runs`, which is apart, makes every answer with


class Source(NamedTuple):
    """The digest of a text in Python, and the dotted names that it imports from the package or spells in a string."""

    digest: str
    imports: tuple[str, ...]


def closure(names: Iterable[str], package: Path = paths.PACKAGE) -> dict[str, str]:
    """Return the modules that `names` (dotted, "aligngemini.vlm.score") stand for, with all that they import of the
    package: name without the package's own -> digest. What is `APART` is left out, and what only it imports.
    """
    there = {_dotted(path, package): path for path in package.rglob("*.py")}
    found: dict[str, str] = {}
    waiting = [module for name in names for module in _modules(name, there)]
    while waiting:
        module = waiting.pop()
        if module not in found:
            path = there[module]
            here = (package.name, *path.relative_to(package).parent.parts)
            found[module], imports = read(path.read_text(encoding="utf-8"), here)
            waiting += [module for name in imports for module in _modules(name, there)]
    return found


def _dotted(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")


def _modules(name: str, there: dict[str, Path]) -> list[str]:
    """The modules that are loaded for the dotted `name`, which may end in a function's: packages above it count.

    The package itself does not: it has a version, and a door to the detector that notebooks do not use.
    """
    parts = name.split(".")[1:]
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return [each for each in names if each in there and not is_apart(each)]


def is_apart(module: str) -> bool:
    """Tell whether a module, named without the package, or a package above it stands in `APART`."""
    parts = module.split(".")
    return any(".".join(parts[: i + 1]) in APART for i in range(len(parts)))


def cell(text: str, package: str) -> Source:
    """Return what `read` gives for a notebook's cell. One with IPython's magics counts as it stands, and imports what
    its other lines do.
    """
    try:
        return read(text, (package,))
    except SyntaxError:
        digest = hashlib.sha256(text.encode()).hexdigest()
    try:
        return Source(digest, read(re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", text), (package,)).imports)
    except SyntaxError:  # the notebook will stop there
        return Source(digest, ())


@cache
def read(text: str, here: tuple[str, ...]) -> Source:
    """Return the digest and imports of a module's text in the package `here`. Raises SyntaxError."""
    reader = _Reader(here)
    reader.put(ast.parse(text))
    return Source(hashlib.sha256("\0".join(reader.parts).encode()).hexdigest(), tuple(reader.imports))


class _Reader:
    """Spells a syntax tree, the same in every version of Python, and collects what it imports on the way."""

    def __init__(self, here: tuple[str, ...]) -> None:
        self.here, self.parts, self.imports = here, [], []
        self.spelt = re.compile(rf"{here[0]}(\.\w+)+(:\w+)?")  # "aligngemini.vlm.branch:VLMBranch"

    def put(self, node: Any) -> None:
        """Add a node, a list of them or a plain value."""
        if isinstance(node, list):
            self._put_list(node)
        elif isinstance(node, ast.AST):
            self._put_node(node)
        else:
            self.parts.append(repr(node))
            if isinstance(node, str) and self.spelt.fullmatch(node):
                self.imports.append(node.partition(":")[0])

    def _put_list(self, nodes: list) -> None:
        self.parts.append("[")
        for node in nodes:
            if not _says_nothing(node):
                self.put(node)
        self.parts.append("]")

    def _put_node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self._note(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = self.here[: len(self.here) - node.level + 1] if node.level else ()
            stem = ".".join([*above, *([node.module] if node.module else [])])
            self._note(f"{stem}.{alias.name}" for alias in node.names)
        self.parts.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != [] and name != "ctx":
                self.parts.append(name)
                self.put(value)
        self.parts.append(")")

    def _note(self, names: Iterable[str]) -> None:
        self.imports += [name for name in names if name.startswith(self.here[0] + ".")]


def _says_nothing(node: Any) -> bool:
    """Whether a statement is a docstring, or for type checkers alone."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING" and not node.orelse
