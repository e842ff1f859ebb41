"""The floors of the house: a room imports only from rooms on floors below its own."""

import ast
import re

from aligngemini.core import paths

FLOORS = (
    ("core",),  # parameters, run folders, manifests, fingerprints, seeds, progress, errors
    ("world",),
    ("images", "scores"),
    ("branches",),
    ("vlm", "expert", "fusion", "analysis", "audit", "fetch"),
    ("detector", "peers"),
    ("self_check", "mini", "explore", "bench", "rehearse", "stream", "teach"),
    ("detect", "command", "workflow"),
    ("cli",),
)
BY_NAME = {  # tables that name code above them, "module:class", which is loaded when somebody asks for it
    "core.stages",  # the parameters of each notebook
    "branches.registry",  # the class of each kind of branch
}
MODULES = {
    ".".join(path.relative_to(paths.PACKAGE).with_suffix("").parts): path for path in paths.PACKAGE.rglob("*.py")
}
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _room(module: str) -> str:
    room, _, rest = module.partition(".")
    return "command" if rest == "command" else room  # each room's part of the command line


def _imported(module: str) -> set[str]:
    """The modules of the package that a module imports, anywhere in it."""
    here, found = ["aligngemini", *module.split(".")], set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = here[: -node.level] if node.level else []
            stem = ".".join([*above, *filter(None, [node.module])])
            found |= {stem, *(f"{stem}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    names = {name.removeprefix("aligngemini.") for name in found if name.startswith("aligngemini.")}
    return {name for name in names if name in MODULES or f"{name}.__init__" in MODULES}


def _rising() -> set[tuple[str, str]]:
    arrows = [(module, _room(name)) for module in MODULES if module != "__init__" for name in _imported(module)]
    return {(one, room) for one, room in arrows if room != _room(one) and FLOOR[room] >= FLOOR[_room(one)]}


def test_every_room_has_a_floor():
    missing = {_room(module) for module in MODULES if module != "__init__"} - FLOOR.keys()
    assert not missing, f"put {', '.join(sorted(missing))} on a floor"


def test_no_import_runs_up():
    rising = sorted(_rising())
    assert not rising, f"a module imports from a room that is not below its own: {rising}"


def _named(module: str) -> set[str]:
    """The rooms of the modules that a module spells in its texts, "aligngemini.vlm.branch:VLMBranch"."""
    nodes = ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [re.fullmatch(r"aligngemini\.([\w.]+)(:\w+)?", text) for text in texts]
    return {_room(match[1]) for match in found if match and match[1] in MODULES}


def test_only_the_tables_name_code_above_them():
    rising = {name for name in MODULES for room in _named(name) if FLOOR[room] > FLOOR.get(_room(name), len(FLOORS))}
    assert rising == BY_NAME
