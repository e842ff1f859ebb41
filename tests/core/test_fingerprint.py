"""Fingerprints: they change with what an answer depends on, and with nothing else."""

import json

import pandas as pd
import pytest

from aligngemini.core import code, fingerprint, manifest

CELL = "from thing.vlm import score\nb = 2"


@pytest.fixture
def package(tmp_path):
    """A package: the notebook imports `vlm.score`, which imports `images`, which imports `deep`; nothing `other`."""
    files = {
        "__init__.py": "",
        "vlm/__init__.py": "",
        "vlm/score.py": "from thing.images import decode\nfrom ..core.seeds import generator\n",
        "vlm/branch.py": "",
        "images/__init__.py": "",
        "images/decode.py": "def read():\n    from . import deep\n    from thing.explore import show\n",
        "images/deep.py": "import thing.core.runs\nWORKER = 'thing.images.worker'\n",
        "images/worker.py": "",
        "other/__init__.py": "",
        "explore/show.py": "",
        "core/runs.py": "",
        "core/seeds.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "thing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "thing"


@pytest.fixture
def notebook(tmp_path):
    return _notebook(tmp_path, "a = 1", CELL)


def _notebook(folder, parameters, code):
    path = folder / "02_vlm_dpo.ipynb"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["words"]},
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": [parameters]},
        {"cell_type": "code", "metadata": {}, "source": [code], "outputs": []},
    ]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert fingerprint.digest({"a": 1, "b": [1]}) == fingerprint.digest({"b": [1], "a": 1})
    assert fingerprint.digest({"a": 1}) != fingerprint.digest({"a": 2})


DECIDING = ["vlm/score.py", "images/__init__.py", "images/decode.py", "images/deep.py", "core/seeds.py"]


@pytest.mark.parametrize("changed", [*DECIDING, "images/worker.py"])
def test_the_code_changes_with_all_that_the_notebook_imports_or_names(package, notebook, changed):
    before = fingerprint.of_code(notebook, package=package)
    (package / changed).write_text((package / changed).read_text() + "x = 1\n")
    assert fingerprint.of_code(notebook, package=package) != before


@pytest.mark.parametrize("changed", ["__init__.py", "other/__init__.py", "explore/show.py", "core/runs.py"])
def test_the_code_does_not_change_with_what_answers_nothing(package, notebook, changed):
    before = fingerprint.of_code(notebook, package=package)
    (package / changed).write_text("x = 1\n")
    assert fingerprint.of_code(notebook, package=package) == before


@pytest.mark.parametrize(("tags", "same"), [(["exercise"], True), (["parameters"], True), ([], False)])
def test_the_code_does_not_change_with_an_answer_to_an_exercise(package, notebook, tags, same):
    book, before = json.loads(notebook.read_text()), fingerprint.of_code(notebook, package=package)
    source = ["from thing.vlm import branch\n", "answer = 3"]
    book["cells"].append({"cell_type": "code", "metadata": {"tags": tags}, "source": source})
    notebook.write_text(json.dumps(book))
    assert (fingerprint.of_code(notebook, package=package) == before) == same


def test_the_code_changes_with_a_module_that_the_parameters_name(package, notebook):
    before = [fingerprint.of_code(notebook, names, package) for names in ([], ["thing.vlm.branch"])]
    (package / "vlm" / "branch.py").write_text("x = 1\n")
    after = [fingerprint.of_code(notebook, names, package) for names in ([], ["thing.vlm.branch"])]
    assert before[0] == after[0] != after[1] != before[1]


TYPES = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import thing.other\n\n\n"


def test_comments_docstrings_types_and_layout_change_no_code(package, notebook):
    module = package / "images" / "decode.py"
    module.write_text("from typing import TYPE_CHECKING\n\ndef read(path):\n    'Read it.'\n    return path  # so\n")
    before = fingerprint.of_code(notebook, package=package)
    module.write_text(f'"""Reading."""\n\n{TYPES}def read(\n    path,\n):\n    """Read."""\n    return path\n')
    assert fingerprint.of_code(notebook, package=package) == before
    module.write_text(module.read_text().replace("return path", "return [path]"))
    assert fingerprint.of_code(notebook, package=package) != before


STYLES = """
class Line:
    def said(self, names, width):
        return f"{', '.join(names)} {self!r:>{width}}" + f'{names["first"]}'
"""


def test_each_python_has_the_same_digest_of_a_text():
    """Otherwise a newer Python would find no run of an older one, and go on with none that was begun."""
    (digest, _) = code.read(STYLES, ("thing",))
    assert digest == "dfd5089ff70d2509a3f6b857355fe29fbc5e3319177968962de54c88f8d4abb6"


def test_the_code_changes_with_the_notebook_but_not_with_its_parameters_cell(package, notebook, tmp_path):
    before = fingerprint.of_code(notebook, package=package)
    assert fingerprint.of_code(_notebook(tmp_path, "a = 5", CELL), package=package) == before
    assert fingerprint.of_code(_notebook(tmp_path, "a = 1", CELL + "  # two"), package=package) == before
    assert fingerprint.of_code(_notebook(tmp_path, "a = 1", CELL + " + 1"), package=package) != before


@pytest.mark.parametrize("magic", ["%matplotlib inline", "!ls", "if b:\n    %time b", "def half("])
def test_a_cell_with_magics_or_a_slip_counts_as_it_stands(package, tmp_path, magic):
    before = fingerprint.of_code(_notebook(tmp_path, "a = 1", f"{CELL}\n{magic}"), package=package)
    assert fingerprint.of_code(_notebook(tmp_path, "a = 1", CELL), package=package) != before
    (package / "images" / "deep.py").write_text("x = 1\n")
    changed = fingerprint.of_code(_notebook(tmp_path, "a = 1", f"{CELL}\n{magic}"), package=package) != before
    assert changed == (magic != "def half(")


def test_the_code_of_a_module_is_its_own_and_what_it_imports(package):
    before = fingerprint.of_module("thing.images.decode", package)
    (package / "vlm" / "score.py").write_text("x = 1\n")
    assert fingerprint.of_module("thing.images.decode", package) == before
    (package / "images" / "deep.py").write_text("x = 1\n")
    assert fingerprint.of_module("thing.images.decode", package) != before
    with pytest.raises(ValueError, match=r"thing\.images\.decoder is no module"):
        fingerprint.of_module("thing.images.decoder", package)


def test_a_source_is_its_content_not_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "weights").write_text("0")
    same = fingerprint.of_source(tmp_path / "one")
    assert fingerprint.of_source(tmp_path / "two") == same
    (tmp_path / "two" / "deep" / "weights").write_text("1")
    assert fingerprint.of_source(tmp_path / "two") != same


def test_a_large_source_is_told_by_names_and_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "READ_WHOLE", 1)
    (tmp_path / "photo").write_text("00")
    before = fingerprint.of_source(tmp_path)
    (tmp_path / "photo").write_text("000")
    assert fingerprint.of_source(tmp_path) != before


def _outputs_at(place, reason="same content as"):
    """A table that names images by where they lie, one that does not, and a text, in the folder `place`."""
    place.mkdir(parents=True)
    rows = {"image_id": ["a", "b"], "path": [f"{place}/1.png", f"{place}/2.png"], "reason": ["", f"{reason} {place}"]}
    pd.DataFrame(rows).to_parquet(place / "images.parquet")
    pd.DataFrame({"image_id": ["a"], "score": [0.5]}).to_parquet(place / "scores.parquet")
    (place / "one.txt").write_text("1")
    return place


def test_the_digest_of_an_answer_does_not_depend_on_where_it_lies(tmp_path):
    here, there = _outputs_at(tmp_path / "a"), _outputs_at(tmp_path / "b" / "deeper")
    assert manifest.files(here) != manifest.files(there)
    assert fingerprint.of_answer(here, manifest.files(here)) == fingerprint.of_answer(there, manifest.files(there))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("images.parquet", lambda table: table.assign(image_id=["a", "c"])),
        ("images.parquet", lambda table: table.assign(reason=["", ""])),
        ("images.parquet", lambda table: table.iloc[::-1]),
        ("images.parquet", lambda table: table.assign(more=1)),
        ("images.parquet", lambda table: table.rename(columns={"image_id": "id"})),
        ("scores.parquet", lambda table: table.assign(score=0.6)),
    ],
)
def test_the_digest_of_an_answer_depends_on_all_else_in_its_tables(name, change, tmp_path):
    here = _outputs_at(tmp_path / "a")
    before = fingerprint.of_answer(here, manifest.files(here))
    change(pd.read_parquet(here / name)).to_parquet(here / name, index=False)
    assert fingerprint.of_answer(here, manifest.files(here)) != before


def test_a_source_with_a_file_of_the_kernel_is_not_waited_for(tmp_path):
    (tmp_path / "log.png").symlink_to("/proc/kmsg")
    (tmp_path / "empty.png").write_bytes(b"")
    assert len(fingerprint.of_source(tmp_path)) == 64


def test_a_file_that_may_not_be_read_stops_nothing_and_counts_once_it_may(tmp_path, monkeypatch):
    (tmp_path / "photo.png").write_bytes(b"0")
    readable, read = fingerprint.of_source(tmp_path), fingerprint.of_file

    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fingerprint, "of_file", forbidden)
    unreadable = fingerprint.of_source(tmp_path)
    monkeypatch.setattr(fingerprint, "of_file", read)
    assert unreadable != readable == fingerprint.of_source(tmp_path)
