"""A run's name tells the truth: it changes with every line that decides the run's answer, and with no other."""

import ast
import shutil
from functools import cache

import pytest

from aligngemini.branches.registry import KINDS
from aligngemini.core import code, fingerprint, paths, run_spec, stages
from aligngemini.images.params import DataParams

DATA, VLM, EXPERT, FUSION, ANALYSIS, PEERS = stages.STAGES
TRAINED = {VLM, EXPERT}
COMPARED = {FUSION, ANALYSIS, PEERS}
SCORED = TRAINED | {FUSION, PEERS}
ALL = set(stages.STAGES)
DECIDING = {  # a function of each room: the notebooks whose runs it decides
    ("analysis.tables", "first"): COMPARED,
    ("audit.cues", "pixel_probe"): {DATA},
    ("audit.pixel_network", "auroc"): {DATA},
    ("branches.score_cache", "recall"): SCORED,
    ("branches.scoring", "table"): SCORED,
    ("expert.train", "optimise"): {EXPERT, PEERS},
    ("fusion.rules", "centred"): {FUSION, PEERS},
    ("images.reconstruct", "run_pairs"): {DATA, PEERS},
    ("images.loaders.folders", "scan"): {DATA, PEERS},
    ("images.decode", "read"): {DATA} | SCORED,
    ("images.table", "pairs"): ALL,
    ("scores.metrics", "auroc"): TRAINED | COMPARED,
    ("peers.comparison", "additions"): {PEERS},
    ("peers.calibrated", "p_fake"): {PEERS},
    ("scores.thresholds", "choose"): SCORED,
    ("vlm.dpo", "fit"): {VLM},
    ("vlm.branch", "facts"): {VLM, FUSION, PEERS},
    ("core.adapters", "put"): SCORED,
    ("core.devices", "number"): {DATA} | SCORED,
    ("core.filling", "filled"): ALL,
    ("core.seeds", "seed"): ALL,
    ("core.seeds", "generator"): ALL,
    ("world.captions", "remark"): {DATA, PEERS},
    ("world.painter", "paint"): {DATA, PEERS},
}
UNUSED = {  # modules, or rooms but for what notebooks import of them: what uses them
    "analysis": "the report, and studies",
    "audit": "the command `audit`",
    "bench": "the commands `bench` and `detect`",
    "cli": "the command line",
    "detect": "the command `detect`",
    "detector": "the commands `bench` and `detect`",
    "fetch": "the command `data`",
    "self_check": "the command `mini`",
    "mini": "the command `mini`",
    "rehearse": "the command `rehearse`",
    "core.cluster": "commands with `--executor ray`",
    "core.code": "runs, for their names",
    "core.codes": "the command line",
    "core.commands": "runs, for advice",
    "core.fields": "the parameters of notebooks, whose values stand in the question",
    "core.keys": "runs, to know what is made already",
    "core.recipes": "the command `run`: its values stand in the question",
    "core.run": "runs: it says when `filling` computes, and where that lies",
    "core.run_spec": "runs, for their names",
    "core.run_text": "runs, to show themselves",
    "core.saved_runs": "runs, to find others, and to show what there is",
    "core.stages": "runs, for what they stand on; the values of parameters stand in the question",
    "core.verified": "runs, to refuse damaged ones",
    "stream": "the command `detect --to`",
    "teach": "the command `teach`, and cells of exercises",
    "workflow": "the command line",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package, for changes."""
    home = tmp_path_factory.mktemp("copy") / "aligngemini"
    shutil.copytree(paths.PACKAGE, home, ignore=shutil.ignore_patterns("__pycache__"))
    return home


def _codes(package, **changes):
    """The code that decides a run of each notebook; `changes` are those of the parameters of notebook 04."""
    cfgs = {name: stage.params(**changes if name == FUSION else {}) for name, stage in stages.STAGES.items()}
    return {
        name: fingerprint.of_code(paths.notebook(name), run_spec.modules(name, cfg), package)
        for name, cfg in cfgs.items()
    }


@cache
def _unchanged(package):
    """What _codes gives for the copy as it is, which every test leaves behind as it was."""
    return _codes(package)


def _changed(package, module, change) -> set[str]:
    """The notebooks whose runs get other names when `change` is made to the text of a module."""
    path = _path(package, module)
    before, text = _unchanged(package), path.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    after = _codes(package)
    path.write_text(text, encoding="utf-8")
    return {name for name in before if before[name] != after[name]}


def _path(package, module):
    path = package.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _without_answer(text: str, function: str) -> str:
    """The text of a module in which a function gives nothing."""
    found = [node for node in ast.walk(ast.parse(text)) if getattr(node, "name", "") == function]
    first = next(node for node in found[0].body if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call))
    lines = text.splitlines()
    lines.insert(first.lineno - 1, " " * first.col_offset + "return None")
    return "\n".join(lines)


@pytest.mark.parametrize(("module", "function"), DECIDING)
def test_a_line_that_decides_changes_the_names_of_the_runs_that_depend_on_it(package, module, function):
    assert _changed(package, module, lambda text: _without_answer(text, function)) == DECIDING[module, function]


def test_the_table_beside_a_module_decides_with_it(package):
    table = package / "world" / "kinds.yaml"
    before, text = _unchanged(package), table.read_text()
    table.write_text(text.replace("stature: 2", "stature: 3", 1))
    after = _codes(package)
    table.write_text(text)
    assert {name for name in ALL if before[name] != after[name]} == {DATA, PEERS}


def test_a_branch_decides_where_the_parameters_name_it(package):
    with_it = {"branch_runs": ["expert latest", "frequency"]}
    module = _path(package, "branches.frequency")
    before, text = [_codes(package), _codes(package, **with_it)], module.read_text()
    module.write_text(_without_answer(text, "prepare"))
    after = [_codes(package), _codes(package, **with_it)]
    module.write_text(text)
    assert {name for name in ALL if before[0][name] != after[0][name]} == {PEERS}, "whose default names it"
    assert {name for name in ALL if before[1][name] != after[1][name]} == {FUSION, PEERS}


def test_every_room_has_a_line_that_decides():
    rooms = {module.rpartition(".")[0] for module in _deciding()} - {""}
    assert rooms == {module.rpartition(".")[0] for module, _ in DECIDING}


def _deciding() -> dict[str, str]:
    """The modules that decide the runs of any notebook, whatever branches they name."""
    cells = [code.cell(text, "aligngemini") for name in ALL for text in fingerprint.code_cells(paths.notebook(name))]
    named = [kind.code.partition(":")[0] for kind in KINDS.values()]
    runs = [f"aligngemini.{name}" for name in code.RUNS]
    return code.closure([*runs, *named, *(name for cell in cells for name in cell.imports)])


@pytest.mark.parametrize("name", code.APART)
def test_what_is_apart_changes_no_name(package, name):
    modules = [module for module in _modules() if f"{module}.".startswith(f"{name}.")]
    assert modules, f"take {name} out of code.APART: there is no such module"
    for module in modules:
        assert not _changed(package, module, lambda text: text + "\nCHANGED = True\n"), module


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("analysis.style", "#", "#0"),  # a colour
        ("core.progress", "left", "to go"),
        ("expert.params", "backbone to train", "base to train"),  # a help text
        ("cli", "add_argument(", "add_argument(\n"),
        ("images.decode", '"""', '"""Words. '),  # a docstring
        ("vlm.dpo", "import ", "# words\nimport "),  # a comment
    ],
)
def test_what_is_only_seen_or_said_changes_no_name(package, module, old, new):
    assert not _changed(package, module, lambda text: text.replace(old, new, 1))


def test_a_name_holds_the_code_that_decides(monkeypatch):
    asked = DataParams()
    before = run_spec.make(DATA, asked)
    assert before.block["code"] == _codes(paths.PACKAGE)[DATA]
    monkeypatch.setattr(fingerprint, "of_code", lambda *_: "other")
    assert run_spec.make(DATA, asked).name != before.name


def _modules() -> list[str]:
    dotted = [".".join(path.relative_to(paths.PACKAGE).with_suffix("").parts) for path in paths.PACKAGE.rglob("*.py")]
    return sorted(name.removesuffix(".__init__") for name in dotted if name != "__init__")


def test_every_module_decides_or_is_apart_or_is_unused():
    """A new module cannot be forgotten: whether a changed line of it makes runs anew is said somewhere."""
    deciding = _deciding()
    unsaid = [name for name in _modules() if name not in deciding and not code.is_apart(name)]
    forgotten = [name for name in unsaid if not {name, name.split(".")[0]} & UNUSED.keys()]
    assert not forgotten, (
        f"{forgotten}: no notebook imports it. If a notebook uses it by name, its stage must say so; if notebooks "
        "import it and it decides no answer, it goes to code.APART with the reason; else to UNUSED in this file"
    )


def test_what_is_apart_would_count_otherwise(monkeypatch):
    """An entry that no notebook reaches any more is taken out."""
    for name in list(code.APART):
        with monkeypatch.context() as patch:
            patch.delitem(code.APART, name)
            found = _deciding()
        assert any(f"{module}.".startswith(f"{name}.") for module in found), f"take {name} out of code.APART"


def test_what_decides_imports_nothing_by_a_name_that_is_made_up():
    """Names that stand in a text as a whole, "aligngemini.vlm.launch", are followed; others cannot be."""
    for module in _deciding():
        text = _path(paths.PACKAGE, module).read_text(encoding="utf-8")
        assert "import_module(" not in text and "__import__(" not in text, module


def test_the_list_of_unused_modules_holds_none_that_is_gone_or_used():
    deciding = _deciding()
    unsaid = {name for name in _modules() if name not in deciding and not code.is_apart(name)}
    gone = sorted(UNUSED.keys() - unsaid - {name.split(".")[0] for name in unsaid})
    assert not gone, f"take out of UNUSED what is no longer needed: {gone}"
