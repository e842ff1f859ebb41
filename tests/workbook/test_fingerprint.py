"""Fingerprints: they change with what an answer depends on, and with nothing else."""

import json

import pandas as pd
import pytest

from aligngemini.workbook import fingerprint, manifest, paths, stages


@pytest.fixture
def package(tmp_path):
    """A package of three rooms: `vlm` imports `images`, which imports `deep`; nothing imports `other`."""
    files = {
        "__init__.py": "",
        "vlm/__init__.py": "",
        "vlm/score.py": "from thing.images import decode\nfrom ..workbook.seeds import generator\n",
        "images/__init__.py": "",
        "images/decode.py": "def read():\n    from . import deep\n    from thing.explore import show\n",
        "images/deep.py": "import thing.workbook.runs\n",
        "other/__init__.py": "",
        "explore/show.py": "",
        "workbook/runs.py": "",
        "workbook/seeds.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "thing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "thing"


@pytest.fixture
def notebook(tmp_path):
    return _notebook(tmp_path, "a = 1", "b = 2")


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


@pytest.mark.parametrize("changed", ["vlm/score.py", "images/decode.py", "images/deep.py", "workbook/seeds.py"])
def test_the_code_changes_with_the_room_and_all_it_imports(package, notebook, changed):
    before = fingerprint.of_code(notebook, ["vlm"], package)
    (package / changed).write_text((package / changed).read_text() + "x = 1\n")
    assert fingerprint.of_code(notebook, ["vlm"], package) != before


@pytest.mark.parametrize("changed", ["other/__init__.py", "explore/show.py", "workbook/runs.py"])
def test_the_code_does_not_change_with_rooms_that_answer_nothing(package, notebook, changed):
    before = fingerprint.of_code(notebook, ["vlm"], package)
    (package / changed).write_text("x = 1\n")
    assert fingerprint.of_code(notebook, ["vlm"], package) == before


def test_the_code_changes_with_the_notebook_but_not_with_its_parameters_cell(package, notebook, tmp_path):
    before = fingerprint.of_code(notebook, ["vlm"], package)
    assert fingerprint.of_code(_notebook(tmp_path, "a = 5", "b = 2"), ["vlm"], package) == before
    assert fingerprint.of_code(_notebook(tmp_path, "a = 1", "b = 3"), ["vlm"], package) != before


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


def test_the_rooms_of_every_stage_exist():
    for stage in stages.STAGES.values():
        for room in stage.rooms:
            assert list((paths.PACKAGE / room).glob("*.py")), f"{stage.name} names the room {room}"


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
