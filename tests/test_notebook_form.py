"""The form of the notebooks: a reader's contract, held by a test."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from aligngemini.core import params, paths, stages
from tests import cells

NOTEBOOKS = {name: paths.ROOT / "notebooks" / f"{name}.ipynb" for name in stages.STAGES}
SECTIONS = ["Parameters", "Setup", "Results", "Explore", "Exercises"]
WRITES = r"write\w*|dump|to_(parquet|csv|json|html)|save\w+|open|step"  # calls that write files, but run.save
LONGEST, OFTEN = 12, 8  # lines of a code cell: at most, and at most in nine of ten cells


@pytest.fixture(params=NOTEBOOKS, ids=str)
def notebook(request):
    book = nbformat.read(NOTEBOOKS[request.param], as_version=4)
    book.name = request.param
    return book


def code(book) -> list[str]:
    return [cell.source for cell in book.cells if cell.cell_type == "code"]


def prose(book) -> list[str]:
    return [cell.source for cell in book.cells if cell.cell_type == "markdown"]


def parameters(book):
    return [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]


def test_the_folder_holds_these_notebooks_and_no_other():
    found = {p.stem for p in (paths.ROOT / "notebooks").glob("*.ipynb")}
    assert found == {"00_start", "colab", *NOTEBOOKS}


def test_nothing_of_a_run_is_kept_in_git(notebook):
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3" and set(notebook.metadata.language_info) == {"name"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)


def test_cell_ids_are_unique(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_the_first_code_cell_holds_the_parameters_of_the_dataclass(notebook):
    (cell,) = parameters(notebook)
    assert cell.source == code(notebook)[0] == cells.parameters(stages.STAGES[notebook.name].params)


def test_the_parameters_cell_fits_on_a_screen_and_the_setup_shows_the_table_of_all(notebook):
    lines = parameters(notebook)[0].source.splitlines()
    assert len(lines) <= 12 and lines[0].startswith("scale: ") and lines[-1].startswith("advanced: dict = {}")
    assert sum(source.endswith("parameter_table.show(cfg)") for source in code(notebook)) == 1


def test_the_title_says_what_is_needed_made_and_how_long_it_takes(notebook):
    title = prose(notebook)[0]
    assert notebook.cells[0].source == title and title.startswith(f"# {notebook.name[:2]} - ")
    assert all(f"**{word}:**" in title for word in ("Needs", "Makes", "Time"))


def test_the_sections_come_in_order(notebook):
    headings = [line[3:] for text in prose(notebook) for line in text.splitlines() if line.startswith("## ")]
    assert [h for h in headings if h in SECTIONS] == SECTIONS


def test_every_section_opens_with_prose(notebook):
    sections = [text for text in prose(notebook) if text.startswith("## ")]
    assert len(sections) > len(SECTIONS) and all(text.count("\n\n") for text in sections)


def test_cells_are_short_and_hold_one_idea(notebook):
    own = [c for c in notebook.cells if c.cell_type == "code" and "parameters" not in c.metadata.get("tags", [])]
    lengths = sorted(len(cell.source.splitlines()) for cell in own)
    assert lengths[-1] <= LONGEST
    assert lengths[int(0.9 * len(lengths)) - 1] <= OFTEN
    exercises = next(place for place, cell in enumerate(notebook.cells) if cell.id == "exercises")
    assert 20 <= exercises <= 50


def test_no_function_bodies_magics_relative_paths_or_heavy_widgets(notebook):
    for source in code(notebook):
        tree = ast.parse(source)
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(tree))
        assert not re.search(r"^\s*[!%]|\.\./|FigureWidget|sys\.path", source, re.M)


def test_only_the_two_verbs_of_a_run_write_files(notebook):
    """What a cell writes by itself is not made again when the cell changes, and half there after a kill."""
    for source in code(notebook):
        called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        names = {getattr(each, "attr", getattr(each, "id", "")) for each in called}
        assert not {name for name in names if re.fullmatch(WRITES, name)}, source


def test_nothing_is_used_before_it_is_made(notebook):
    known = set(dir(__builtins__)) | set(__builtins__ if isinstance(__builtins__, dict) else ())
    for source in code(notebook):
        tree = ast.parse(source)
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        made = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        made |= {a.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for a in node.args}
        made |= {
            (a.asname or a.name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for a in node.names
        }
        missing = {n.id for n in names if isinstance(n.ctx, ast.Load)} - known - made
        assert not missing, f"{missing} in: {source}"
        known |= made


def test_no_variable_takes_the_name_of_a_parameter(notebook):
    """Run by hand, a setup cell may be run again after the whole notebook: its parameters must still be there."""
    names = set(stages.STAGES[notebook.name].params.model_fields)
    for source in code(notebook)[1:]:
        nodes = list(ast.walk(ast.parse(source)))
        made = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        imports = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
        made |= {(alias.asname or alias.name) for node in imports for alias in node.names}
        assert not made & names, source


def test_no_variable_takes_the_name_of_what_is_imported(notebook):
    trees = [ast.parse(source) for source in code(notebook)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    aliases = [each for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for each in node.names]
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert not made & {each.asname or each.name for each in aliases}


def test_prose_and_code_are_in_balance(notebook):
    words = sum(len(text.split()) for text in prose(notebook))
    lines = sum(len(source.splitlines()) for source in code(notebook))
    assert 2.5 <= words / lines <= 14


def test_results_stand_before_the_widgets(notebook):
    sources = [cell.source for cell in notebook.cells]
    finished = [i for i, source in enumerate(sources) if "run.finish(" in source]
    explorers = re.findall(r"from aligngemini\.explore import (\w+)(?: as (\w+))?", "\n".join(sources))
    assert len(finished) == 1 and bool(explorers) == (notebook.name in (stages.FUSION, stages.ANALYSIS))
    for module, alias in explorers:
        name = alias or module
        (widget,) = [i for i, source in enumerate(sources) if f"{name}.{module}(" in source]
        assert widget > finished[0] and f"{name}.picture(" in "".join(sources[finished[0] : widget])


@pytest.mark.parametrize(
    "recipe",
    sorted((paths.ROOT / "notebooks" / "recipes").glob("*/[0-9]*.yaml")),
    ids=lambda p: f"{p.parent.name}/{p.stem}",
)
def test_every_recipe_fits_its_notebook(recipe):
    cls = stages.STAGES[recipe.stem].params
    values = yaml.safe_load(recipe.read_text()) or {}
    cfg = params.build(cls, values, str(recipe))
    assert cfg.scale == recipe.parent.name


def test_the_mini_recipes_are_the_defaults():
    for name, stage in stages.STAGES.items():
        path = paths.ROOT / "notebooks" / "recipes" / "mini" / f"{name}.yaml"
        assert params.build(stage.params, yaml.safe_load(path.read_text())) == stage.params()
        assert set(yaml.safe_load(path.read_text())) == set(stage.params.model_fields)


def test_notebooks_are_plain_json_with_one_space_and_a_newline():
    for path in NOTEBOOKS.values():
        text = Path(path).read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


def test_a_commit_takes_out_what_jupyterlab_adds_and_keeps_the_ids_of_cells(tmp_path):
    config = yaml.safe_load((paths.ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (entry,) = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"] if hook["id"] == "nbstripout"]
    text = NOTEBOOKS[stages.FUSION].read_text(encoding="utf-8")
    book, copy = json.loads(text), tmp_path / "copy.ipynb"
    book["metadata"]["language_info"] |= {"file_extension": ".py", "mimetype": "text/x-python", "version": "3.11.9"}
    book["metadata"]["language_info"] |= {"codemirror_mode": {"name": "ipython"}, "pygments_lexer": "ipython3"}
    cell = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
    cell |= {"execution_count": 1, "outputs": [{"name": "stdout", "output_type": "stream", "text": ["x"]}]}
    copy.write_text(json.dumps(book), encoding="utf-8")
    arguments = shlex.split(entry)[1:]
    subprocess.run([sys.executable, "-m", "nbstripout", *arguments, str(copy)], check=True)
    assert copy.read_text(encoding="utf-8") == text
