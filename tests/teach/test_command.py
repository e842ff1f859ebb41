"""`aligngemini teach`: copies of the notebooks for a class."""

import errno
import json
import os
import re
from urllib.parse import unquote

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from aligngemini import cli
from aligngemini.core import paths
from aligngemini.teach import command

BOOKS = sorted(paths.notebooks().glob("*.ipynb"))


def sources(path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_students_get_the_notebooks_as_they_are_but_for_links_and_no_solutions(tmp_path):
    assert cli.main(["teach", "--student", str(tmp_path / "class")]) == 0
    copies = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [copy.name for copy in copies] == [book.name for book in BOOKS]
    for copy, book in zip(copies, BOOKS, strict=True):
        there = re.sub(r"\]\([^)]*/docs/", "](../docs/", copy.read_text(encoding="utf-8"))
        assert there == book.read_text(encoding="utf-8"), "all but the links is the same"


@pytest.mark.parametrize("option", ["--student", "--solutions"])
def test_links_of_a_copy_lead_to_the_documentation_and_to_its_own_notebooks(tmp_path, option):
    folder = tmp_path / "a class" / "2026"
    assert cli.main(["teach", option, str(folder)]) == 0
    links = [
        (folder / unquote(link)).resolve()
        for copy in folder.glob("*.ipynb")
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", copy.read_text(encoding="utf-8"))
    ]
    assert paths.ROOT / "docs" / "course.md" in links and folder / "01_data_construction.ipynb" in links
    assert not [link for link in links if not link.exists()]


def test_in_the_solutions_every_exercise_is_filled_in_and_all_else_is_the_same(tmp_path):
    assert cli.main(["teach", "--solutions", str(tmp_path)]) == 0
    assert sum("answer = ..." in sources(book) for book in BOOKS) == 6
    for book in BOOKS:
        code, copy = sources(book), sources(tmp_path / book.name)
        assert "answer = ..." not in copy and copy.count("exercises.check(") == code.count("exercises.check(")
        ids = [[cell["id"] for cell in json.loads(path.read_text())["cells"]] for path in (book, tmp_path / book.name)]
        assert ids[0] == ids[1]
        compile(TransformerManager().transform_cell(copy), book.name, "exec")


@pytest.mark.parametrize("option", ["--student", "--solutions"])
def test_no_file_is_written_over(tmp_path, capsys, option):
    mine = tmp_path / "04_fusion.ipynb"
    mine.write_text("mine")
    assert cli.main(["teach", option, str(tmp_path)]) == 2
    assert "holds 04_fusion.ipynb already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [mine.name] and mine.read_text() == "mine"


def test_a_full_disk_is_said_and_the_same_command_then_copies_all(tmp_path, capsys, monkeypatch):
    def full(path, text):
        if path.name.startswith("03"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return path.write_text(text)

    words = ["teach", "--student", str(tmp_path / "class")]
    with monkeypatch.context() as patch:
        patch.setattr(command.atomic, "write", full)
        assert cli.main(words) == 1
    assert f"no space left for {tmp_path / 'class'}" in capsys.readouterr().err
    assert not list((tmp_path / "class").iterdir())
    assert cli.main(words) == 0


@pytest.mark.parametrize("option", ["--student", "--solutions"])
def test_an_empty_name_is_no_folder(tmp_path, capsys, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["teach", option, ""]) == 2
    assert f"{option} is empty: give a folder" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("words", [[], ["--student", "a", "--solutions", "b"]])
def test_one_kind_of_copy_is_asked_for(words):
    with pytest.raises(SystemExit):
        cli.main(["teach", *words])
