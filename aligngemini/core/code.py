"""Which code decides an answer: what is imported from the package, directly or not, except for what is `APART`.

A module counts by its syntax tree, so that comments, docstrings and layout change no name of a run, and with the table
of its own name that lies beside it (DATA), if there is one.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    "peers.params": "the values of parameters stand in the question",
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
DATA = (".yaml", ".csv")
RUNS = ["core.filling"]  # what `core.runs`, which is apart, makes every answer with


class Source(NamedTuple):
    """The digest of a text in Python, and the dotted names that it imports from the package or spells in a string."""

    digest: str
    imports: tuple[str, ...]


def closure(names: Iterable[str], package: Path = paths.PACKAGE) -> dict[str, str]:
    """Return the modules that `names` (dotted, "aligngemini.vlm.score") stand for, with all that they import of the
    package: name without the package's own -> digest. What is `APART` is left out, and what only it imports.
    """
    paths_of = {path: ".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*.py")}
    there = {name.removesuffix(".__init__"): path for path, name in paths_of.items()}
    found: dict[str, str] = {}
    waiting = [module for name in names for module in _modules(name, there)]
    while waiting:
        module = waiting.pop()
        if module not in found:
            path = there[module]
            here = (package.name, *path.relative_to(package).parent.parts)
            found[module], imports = read(path.read_text(encoding="utf-8"), here)
            data = [each.read_bytes() for each in map(path.with_suffix, DATA) if each.is_file()]
            found[module] += "".join(hashlib.sha256(each).hexdigest() for each in data)
            waiting += [module for name in imports for module in _modules(name, there)]
    return found


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
    tree = _Deciding().visit(ast.parse(text))
    imports = tuple(name for node in ast.walk(tree) for name in _imports(node, here))
    written = ast.dump(tree).replace(", type_params=[]", "")  # Python 3.11 has none; what it unparses differs, too
    return Source(hashlib.sha256(written.encode()).hexdigest(), imports)


class _Deciding(ast.NodeTransformer):
    """Take out of a syntax tree what decides nothing: docstrings, what is for type checkers alone, and the empty texts
    that only Python 3.12 has at the end of formats.
    """

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        value = node.value
        return None if isinstance(value, ast.Constant) and isinstance(value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        types = getattr(node.test, "id", "") == "TYPE_CHECKING" and not node.orelse
        return None if types else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        node.values = [each for each in node.values if getattr(each, "value", None) != ""]
        return self.generic_visit(node)


def _imports(node: ast.AST, here: tuple[str, ...]) -> list[str]:
    """The dotted names of the package that a node imports, or spells as a text ("aligngemini.vlm.branch:VLMBranch")."""
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = here[: len(here) - node.level + 1] if node.level else ()
        stem = ".".join([*above, *([node.module] if node.module else [])])
        names = [f"{stem}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        names = [node.value.partition(":")[0]] if re.fullmatch(rf"{here[0]}(\.\w+)+(:\w+)?", node.value) else []
    return [name for name in names if name.startswith(here[0] + ".")]
