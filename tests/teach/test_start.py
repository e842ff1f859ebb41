"""Notebook 00: it changes nothing of what is run, and says what to do where no run is finished."""

import ast
import json

import pytest

from aligngemini.core import paths, stages

BOOK = json.loads(paths.notebook("00_start").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in BOOK["cells"] if cell["cell_type"] == "code"]


def test_without_a_finished_run_it_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path))
    names = {}
    with pytest.raises(AssertionError, match="make one with `aligngemini run`"):
        for source in CODE:
            exec(source, names)


def test_it_is_no_stage_and_keeps_the_form_of_the_others():
    assert "00_start" not in stages.STAGES
    assert all(len(source.splitlines()) <= 8 for source in CODE)
    for source in CODE:
        nodes = list(ast.walk(ast.parse(source)))
        assert not any(isinstance(node, ast.FunctionDef | ast.Lambda) for node in nodes)
    assert all(cell.get("outputs", []) == [] and cell["metadata"] == {} for cell in BOOK["cells"])
    ids = [cell["id"] for cell in BOOK["cells"]]
    assert len(ids) == len(set(ids))


def test_its_links_lead_to_notebooks_and_the_course():
    prose = "".join("".join(cell["source"]) for cell in BOOK["cells"] if cell["cell_type"] == "markdown")
    links = [part.split(")")[0] for part in prose.split("](")[1:]]
    assert links and all((paths.notebooks() / link).exists() for link in links)
    assert {f"{name}.ipynb" for name in stages.STAGES} <= set(links)
