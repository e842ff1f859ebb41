"""Keys of what a run computes: what counts of a function and of what it is given."""

import dataclasses
import importlib
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import torch
from PIL import Image

from aligngemini.core import keys, runs, stages
from tests import small
from tests.core.test_verbs import DATA, count, fill, numbers


def test_keys_are_the_same_whatever_python_hashes_and_wherever_the_outputs_lie(tmp_path):
    code = (
        "import sys; from types import SimpleNamespace; from pathlib import Path; from json import dumps\n"
        "from aligngemini.core import keys\n"
        "run = SimpleNamespace(folder=Path(sys.argv[1]) / '01' / '.x.partial', name='x', made={})\n"
        "print(keys.of(run, dumps, (str(run.folder / 'a'), {'a', 'b', 'c'}, run.folder, object()), {}))"
    )
    asked = [[sys.executable, "-c", code, str(tmp_path / name)] for name in "ab"]
    told = [subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in asked]
    assert told[0] == told[1] and len(told[0].strip()) == 64


@dataclasses.dataclass
class Model:
    weights: object
    size: int


class Known:
    def __init__(self, name):
        self.name = name

    def identity(self):
        return {"name": self.name}


def test_objects_count_by_what_they_say_of_themselves(run):
    def key(*values):
        return keys.of(run, count, values, {})

    assert key(object()) == key(object()) != key(Known("a"))
    assert key(Known("a")) == key(Known("a")) != key(Known("b"))
    assert key(Model(object(), 1)) == key(Model(object(), 1)) != key(Model(object(), 2))
    assert (
        len({key(value) for value in (1, 1.0, "1", True, None, [1], b"1", len, abs, numbers, Known, np.arange(1))})
        == 12
    )
    arrays = [np.array([1, 2]), np.array([1, 3]), np.array([1.0, 2.0])]
    pictures = [Image.new("L", (2, 1)), Image.new("L", (1, 2)), Image.new("L", (1, 2), 1)]
    tables = [pd.Series([1, 2]), pd.Series([1, 2], index=["a", "b"]), pd.Index([1, 3]), pd.Index([1, 4])]
    assert len({key(value) for value in [*arrays, *pictures, *tables, range(2), range(3), date(2020, 1, 1)]}) == 13
    assert key(np.float64(2)) == key(2.0) and key(float("nan")) == key(np.nan)
    assert key(pd.DataFrame({"a": [1]})) != key(pd.DataFrame({"a": [2]})) != key(pd.DataFrame({"b": [2]}))


def test_an_array_of_dates_counts_by_its_content(run):
    first, other = (keys.of(run, fill, (np.array([day], "M8[D]"),), {}) for day in ("2020-01-01", "2021-01-01"))
    assert first != other


def test_a_tensor_that_numpy_does_not_read_counts_by_its_content_and_format(run):
    def key(value):
        return keys.of(run, count, (value,), {})

    tensors = [
        torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
        torch.tensor([1.0, 3.0], dtype=torch.bfloat16),
        torch.tensor([1.0, 2.0]),
        torch.tensor([1.0, 4.0], requires_grad=True),
        torch.tensor([1.0, 5.0], requires_grad=True),
    ]
    assert len({key(tensor) for tensor in tensors}) == 5
    assert key(tensors[0]) == key(tensors[0].clone())


def test_words_that_select_the_same_run_are_the_same(little):
    data = small.made(DATA, small.data(little))
    cfgs = [small.vlm(little, data_run=each) for each in ("latest", data.name)]
    run = runs.start(stages.VLM, cfgs[0])
    assert keys.of(run, count, (cfgs[0],), {}) == keys.of(run, count, (cfgs[1],), {})
    assert keys.of(run, count, (small.vlm(little, beta=0.5),), {}) != keys.of(run, count, (cfgs[0],), {})


def test_a_folder_made_again_changes_what_is_computed_from_it(run):
    first = run.compute("adapter", fill, "a")
    before = keys.of(run, count, (first,), {})
    assert keys.of(run, count, (run.compute("adapter", fill, "a"),), {}) == before
    assert keys.of(run, count, (run.compute("adapter", fill, "b"),), {}) != before


def test_a_function_of_a_cell_counts_with_what_it_uses_of_other_cells(run):
    told = []
    for inner in ("1", "2", "1"):
        cells = {"__name__": "__main__"}
        exec(f"def inner():\n    return {inner}\ndef outer():\n    return [each + inner() for each in ()]", cells)
        told.append(keys.of(run, cells["outer"], (), {}))
    assert told[0] == told[2] != told[1]


def test_a_comment_or_a_docstring_of_a_function_changes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    told = []
    for number, body in enumerate(['    "It adds."\n    return n + 1  # one', "    return n + 1", "    return n + 2"]):
        (tmp_path / f"adding{number}.py").write_text(f"def add(n):\n{body}\n")
        add = importlib.import_module(f"adding{number}").add
        add.__module__ = "adding"
        told.append(keys.of(run, add, (1,), {}))
    assert told[0] == told[1] != told[2]
