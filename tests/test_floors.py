"""The floors of the house: a room imports only from rooms on floors below its own."""

import ast

from aligngemini.workbook import paths

FLOORS = (
    ("workbook",),  # parameters, run folders, manifests, fingerprints, seeds, progress, errors
    ("world",),
    ("images", "scores"),
    ("branches",),
    ("vlm", "expert", "fusion", "analysis", "audit", "fetch"),
    ("detector",),
    ("known", "mini", "explore", "bench", "rehearse"),
    ("detect", "command", "workflow"),
    ("cli",),
)
# These run notebooks, or many of them; to the kernels that they start nothing of them is known.
WORKFLOW = ["death", "execute", "kernel", "listing", "plan", "status", "stopping", "streams", "sweep", "unforeseen"]
ALLOWED = {  # arrows that run up: module, room. May only become fewer.
    ("workbook.forms.data", "world"),  # names of violations, until parameters lie in the rooms of their notebooks
    ("workbook.questions", "images"),  # folders of benchmarks, likewise
    ("workbook.branch_runs", "branches"),  # kinds of branches, likewise
}
MODULES = {
    ".".join(path.relative_to(paths.PACKAGE).with_suffix("").parts): path for path in paths.PACKAGE.rglob("*.py")
}
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _room(module: str) -> str:
    parts = module.split(".")
    if parts[-1] == "command":  # each room's part of the command line
        return "command"
    return "workflow" if parts[0] == "workbook" and parts[-1] in WORKFLOW else parts[0]


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
    assert {f"workbook.{name}" for name in WORKFLOW} <= MODULES.keys()


def test_no_import_runs_up():
    new = sorted(_rising() - ALLOWED)
    assert not new, f"a module imports from a room that is not below its own: {new}"


def test_the_list_of_imports_that_run_up_holds_none_that_is_gone():
    gone = sorted(ALLOWED - _rising())
    assert not gone, f"take out of ALLOWED what is no longer needed: {gone}"
