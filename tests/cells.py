"""The cells of a notebook in this very process: a kernel would first spend seconds on loading libraries."""

import json
from pathlib import Path

import nbformat
import pytest
import yaml

from aligngemini.core import params, paths
from aligngemini.core.params import ADVANCED, Typed, main_names, spell


def parameters(cls: type[Typed]) -> str:
    """The source of the cell tagged `parameters`, lines `name: type = default  # help`, then `advanced`."""
    lines, default = [], cls()
    for name in main_names(cls):
        field = cls.model_fields[name]
        value = json.dumps(getattr(default, name), ensure_ascii=False)
        value = value.capitalize() if field.annotation is bool else value
        lines.append(f"{name}: {spell(field.annotation)} = {value}  # {field.description}")
    lines.append(f'{ADVANCED}: dict = {{}}  # other parameters, each as "NAME": value; the table below lists them all')
    return "\n".join(lines)


def given(notebook: Path, values: dict) -> nbformat.NotebookNode:
    """The notebook with the parameters `values` in a cell behind that of its own, as papermill has them."""
    book = nbformat.read(notebook, as_version=4)
    at = next(place for place, cell in enumerate(book.cells) if cell.cell_type == "code") + 1
    lines = [params.INJECTED, *(f"{name} = {value!r}" for name, value in values.items())]
    book.cells.insert(at, nbformat.v4.new_code_cell("\n".join(lines)))
    return book


def play(book: nbformat.NotebookNode, names: dict | None = None) -> dict:
    """Run all code cells of a notebook; return its names, which go into `names` if that is given."""
    names = {} if names is None else names
    names["In"] = [cell.source for cell in book.cells if cell.cell_type == "code"]
    for source in names["In"]:
        exec(source, names)
    return names


def smoke(notebook: str, outputs: Path, **values) -> dict:
    """Play a notebook, by its name, with the recipe of the smoke scale and a few values of one's own."""
    recipe = yaml.safe_load((paths.ROOT / f"notebooks/recipes/smoke/{notebook}.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_OUTPUTS", str(outputs))
        return play(given(paths.notebook(notebook), recipe | values))
